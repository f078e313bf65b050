//! Which resource a path belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::identifier::{ResourceIdentifier, WELL_KNOWN, loosely};
use crate::metadata_document::resource_path_behind;
use crate::serve::Resource;

/// The resources of a server by their paths.
pub(crate) struct Mounts {
    /// In the order they were configured.
    resources: Vec<Arc<Resource>>,
    /// By path, without slashes at the end.
    by_path: HashMap<String, Arc<Resource>>,
    /// By path too, as a lenient router reads it: see [`loosely`].
    by_loose_path: HashMap<String, Arc<Resource>>,
}

/// Where a resource is, for a layer that was made for it: through all configurations, that is its path.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Where in the list it was then, and most likely still is.
    index: usize,
    path: Arc<str>,
}

impl Place {
    /// The path, as its identifier has it.
    #[cfg(feature = "axum")]
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

impl Mounts {
    pub(crate) fn new(resources: Vec<Arc<Resource>>) -> Self {
        let mut by_path = HashMap::new();
        let mut by_loose_path = HashMap::new();
        for resource in &resources {
            let path = without_slashes_at_end(resource.identifier.path());
            by_path.insert(path.to_owned(), resource.clone());
            if let Some(loose_path) = loosely(path) {
                by_loose_path.insert(loose_path, resource.clone());
            }
        }
        Self { resources, by_path, by_loose_path }
    }

    /// All of them, in the order they were configured.
    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// Where each resource is.
    #[cfg(feature = "axum")]
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for (index, resource) in self.resources.iter().enumerate() {
            places.push(Place { index, path: resource.identifier.path().into() });
        }
        places
    }

    /// The resource in this place; `None`: there is none any more.
    pub(crate) fn resource_in(&self, place: &Place) -> Option<&Arc<Resource>> {
        match self.resources.get(place.index) {
            Some(resource) if resource.identifier.path() == &*place.path => Some(resource),
            _ => self.resource_with_path(&place.path),
        }
    }

    /// The resource at the path of this identifier.
    pub(crate) fn resource_at_place_of(
        &self,
        identifier: &ResourceIdentifier,
    ) -> Option<&Arc<Resource>> {
        self.resource_with_path(identifier.path())
    }

    /// The resource whose path is the longest prefix; a single resource takes every request.
    pub(crate) fn resource_at(&self, path: &str) -> Option<&Arc<Resource>> {
        if let [only] = self.resources() {
            return Some(only);
        }
        if let Some(resource) = self.by_path.get(path) {
            return Some(resource);
        }
        // Routers differ in what they take for the same path: where that makes a difference, nobody can tell
        // which resource is meant.
        let resource = longest_prefix(&self.by_path, path)?;
        let loose_resource = longest_prefix(&self.by_loose_path, &loosely(path)?)?;
        Arc::ptr_eq(loose_resource, resource).then_some(resource)
    }

    /// The resource whose RFC 9728 metadata is at this path: at the path-inserted URL, or, where there is one
    /// resource, at the root as well. Clients fall back to the root; with several resources it would be
    /// ambiguous.
    pub(crate) fn resource_described_at(&self, path: &str) -> Option<&Arc<Resource>> {
        let resource_path = resource_path_behind(WELL_KNOWN, path)?;
        match (self.resource_with_path(resource_path), self.resources()) {
            (Some(resource), _) => Some(resource),
            (None, [only]) if without_slashes_at_end(resource_path).is_empty() => Some(only),
            (None, _) => None,
        }
    }

    /// The resource with exactly this path, but for slashes at the end.
    pub(crate) fn resource_with_path(&self, path: &str) -> Option<&Arc<Resource>> {
        self.by_path.get(without_slashes_at_end(path))
    }
}

fn without_slashes_at_end(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    crate::steps::take(path.len() - trimmed.len() + 1);
    trimmed
}

/// The resource whose path is the longest of those that `path` starts with, segment by segment.
fn longest_prefix<'m>(
    mounts: &'m HashMap<String, Arc<Resource>>,
    path: &str,
) -> Option<&'m Arc<Resource>> {
    // Prefixes longer than every mount are not looked up: hashing each would cost its length, for each slash of a
    // long path.
    let longest = mounts.keys().map(String::len).max()?;
    let parents = path.rmatch_indices('/').map(|(slash, _)| &path[..slash]);
    let mut possible = [path].into_iter().chain(parents).filter(|mount| mount.len() <= longest);
    possible.find_map(|mount| {
        crate::steps::take(mount.len() + 1);
        mounts.get(mount)
    })
}
