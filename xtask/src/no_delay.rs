//! The step `no-delay`: each server that a reader may copy, and each of ours, has switched Nagle's algorithm off.
//!
//! With it, the second piece of an answer waits until the client has acknowledged the first, which clients put off for 40 ms. Whether it
//! is off is asked of the kernel, about the socket that the server has accepted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use rustix::net::sockopt::tcp_nodelay;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::command::{Failure, root, version};
use crate::dev_server::{self, with_server};
use crate::install;
use crate::rust_example;
use crate::step::{Outcome, missing_tool};

pub(crate) fn run() -> Result<Outcome, Failure> {
    dev_server::with(|ready| {
        check("mcp-auth dev", &ready.resource)?;
        check("the development issuer", &ready.issuer)
    })?;
    for example in ["whoami", "todo-manager"] {
        rust_example::with(example, |resource| check(example, resource))?;
    }
    let Some(node_version) = version("node") else { return missing_tool("node") };
    let node = root().join("node");
    install::npm(&node, &node_version)?;
    check_all("servers of Node", Path::new("node"), "servers.mjs", &node)?;
    let Some(python_version) = version("python3") else { return missing_tool("python3") };
    // Where uvicorn is with everything that it can use.
    let folder = root().join("bench/python");
    let interpreter = install::pip(&folder, "python3", &python_version)?;
    check_all("servers of Python", &interpreter, "servers.py", &folder)?;
    Ok(Outcome::Passed)
}

/// Looks at each server of a script, which says in one line where they are.
fn check_all(
    name: &'static str,
    program: &Path,
    script: &str,
    folder: &Path,
) -> Result<(), Failure> {
    let mut command = Command::new(program);
    command.arg(root().join("xtask/no-delay").join(script)).current_dir(folder);
    with_server(name, command, |addresses: BTreeMap<String, String>| {
        addresses.iter().try_for_each(|(server, address)| check(server, address))
    })
}

/// Sends a request, and looks at the other end of the connection.
fn check(server: &str, url: &str) -> Result<(), Failure> {
    let authority = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut client = TcpStream::connect(authority)?;
    client.write_all(format!("GET / HTTP/1.1\r\nhost: {authority}\r\n\r\n").as_bytes())?;
    // Once it answers, it has accepted.
    client.read_exact(&mut [0])?;
    let other_end = accepted_socket(&client)?;
    if tcp_nodelay(&other_end).map_err(std::io::Error::from)? {
        println!("{server}: Nagle's algorithm is off");
        return Ok(());
    }
    Err(Failure::new(format!("{server} leaves Nagle's algorithm on: it needs TCP_NODELAY")))
}

/// A copy of the server's socket of a connection, whichever process has it.
fn accepted_socket(client: &TcpStream) -> Result<OwnedFd, Failure> {
    let (SocketAddr::V4(here), SocketAddr::V4(there)) = (client.local_addr()?, client.peer_addr()?)
    else {
        return Err(Failure::new("the connection is not one of IPv4"));
    };
    let inode = inode_of(there, here)?;
    let target = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc")?.flatten() {
        let Ok(id) = process.file_name().to_string_lossy().parse::<i32>() else { continue };
        // Processes of others cannot be looked into.
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            if fs::read_link(descriptor.path()).is_ok_and(|link| link.as_os_str() == &*target) {
                let number = descriptor.file_name().to_string_lossy().parse();
                return copied(id, number.map_err(|_| Failure::new("/proc names no number"))?);
            }
        }
    }
    Err(Failure::new(format!("no process has {target}")))
}

/// The number by which the kernel knows the socket between two addresses.
fn inode_of(local: SocketAddrV4, remote: SocketAddrV4) -> Result<String, Failure> {
    let ends = [as_in_proc(local), as_in_proc(remote)];
    for line in fs::read_to_string("/proc/net/tcp")?.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        if fields.get(1..3) == Some(&[&*ends[0], &*ends[1]]) {
            return Ok(fields.get(9).copied().unwrap_or_default().to_owned());
        }
    }
    Err(Failure::new("the connection is not in /proc/net/tcp"))
}

/// An address as `/proc/net/tcp` writes it: the four bytes as the processor reads them, in hexadecimal digits.
fn as_in_proc(address: SocketAddrV4) -> String {
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}

fn copied(process: i32, descriptor: i32) -> Result<OwnedFd, Failure> {
    let id = Pid::from_raw(process).ok_or_else(|| Failure::new("there is no process 0"))?;
    let handle = pidfd_open(id, PidfdFlags::empty()).map_err(std::io::Error::from)?;
    let copy = pidfd_getfd(handle, descriptor, PidfdGetfdFlags::empty());
    Ok(copy.map_err(std::io::Error::from)?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Both ends of a connection, of which the second is the server's.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn what_is_set_on_the_accepted_socket_is_what_is_told() {
        for without_delay in [false, true] {
            let (client, server) = connection();
            server.set_nodelay(without_delay).unwrap();
            client.set_nodelay(!without_delay).unwrap();
            let socket = accepted_socket(&client).unwrap();
            assert_eq!(tcp_nodelay(&socket).unwrap(), without_delay);
        }
    }
}
