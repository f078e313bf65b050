//! What a policy means: the engine that decides by [`ScopePolicy`], which is data.

mod argument_rule;
mod compiled;
mod faults;
mod hierarchy;
mod methods;
mod pieces;
mod readings;
mod requirement;
mod resource_pattern;
mod resource_rules;
mod uri;

use std::error::Error;
use std::sync::Arc;

use self::compiled::CompiledPolicy;
pub(super) use self::resource_rules::FoundRules;
#[cfg(any(fuzzing, test))]
pub(crate) use self::uri::{NormalUri, normal_pattern};
use super::{AccessRequest, Asked, Authorizer, Operation, Verdict};
use crate::auth_info::AuthInfo;
use crate::config::{Access, ConfigFault, Faults, ScopePolicy};
use crate::scope::Scopes;

impl ScopePolicy {
    /// The policy in the form that decides. Faults are left out: [`Authorizer::faults`] lists them.
    fn compile(&self) -> CompiledPolicy {
        self.compile_for(&Scopes::default(), &mut Vec::new())
    }

    /// The policy in the form that decides, for a resource that requires these scopes. What is wrong with the policy
    /// is added to the faults.
    fn compile_for(
        &self,
        required_scopes: &Scopes,
        faults: &mut Vec<ConfigFault>,
    ) -> CompiledPolicy {
        CompiledPolicy::new(self, required_scopes, &mut Faults::of_all(faults))
    }
}

/// This way it is compiled anew for each question. A server asks [`Authorizer::compiled`] once, when it is built.
impl Authorizer for ScopePolicy {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let compiled = self.compile();
        Ok(match compiled.authorize(request)? {
            Verdict::MissingScopes(_) => {
                let operations = std::slice::from_ref(request.operation);
                let granted = request.caller.scopes();
                Verdict::MissingScopes(compiled.required_scopes(operations, granted))
            }
            verdict => verdict,
        })
    }

    fn access(&self, operation: &Operation<'_>) -> Option<Access> {
        self.compile().access(operation)
    }

    fn allows_anonymous(&self) -> bool {
        self.compile().allows_anonymous()
    }

    fn required_scopes(&self, operations: &[Operation<'_>], granted: &Scopes) -> Scopes {
        self.compile().required_scopes(operations, granted)
    }

    fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        self.compile().uncovered(granted, required)
    }

    fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        self.compile().lists(caller, operation)
    }

    fn named(&self) -> Vec<Operation<'static>> {
        let by_arguments = self.by_arguments.keys().filter(|tool| !self.tools.contains_key(*tool));
        let names = self.tools.keys().chain(by_arguments);
        let tools = names.map(|name| Operation::tool(name.clone()));
        let prompts = self.prompts.keys().map(|name| Operation::prompt(name.clone()));
        let resources = self.resources.keys().map(|uri| Operation::resource(uri.clone()));
        let methods = self.methods.keys().map(|method| Operation::new(method.clone()));
        tools.chain(prompts).chain(resources).chain(methods).collect()
    }

    fn rules(&self, operation: &Operation<'_>) -> Vec<String> {
        self.compile().rules(operation)
    }

    fn asked(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> Vec<Asked> {
        self.compile().asked(caller, operation)
    }

    fn compiled(&self, required_scopes: &Scopes) -> Option<Arc<dyn Authorizer>> {
        Some(Arc::new(self.compile_for(required_scopes, &mut Vec::new())))
    }

    fn faults(&self) -> Vec<String> {
        self.config_faults().iter().map(ToString::to_string).collect()
    }

    fn config_faults(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        self.compile_for(&Scopes::default(), &mut faults);
        faults
    }

    fn warnings(&self) -> Vec<String> {
        self.compile().warnings()
    }
}
