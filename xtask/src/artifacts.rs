//! What Cargo builds, as it tells programs
//! (<https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde::Deserialize;

/// Something that was built.
#[derive(Deserialize)]
pub struct Artifact {
    /// The part of a package that it comes from.
    pub target: Target,
    /// All files.
    pub filenames: Vec<PathBuf>,
    /// The file that can be run, if there is one.
    pub executable: Option<PathBuf>,
}

/// A part of a package: its library, a program, a file of tests.
#[derive(Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
}

/// A message.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact(Artifact),
    #[serde(other)]
    Other,
}

/// Runs a command of Cargo's that builds. Nothing if that failed: Cargo says why on standard error,
/// which is the caller's.
pub fn build(command: &mut Command) -> anyhow::Result<Option<Vec<Artifact>>> {
    command.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let output = command.spawn().and_then(Child::wait_with_output).context("cannot start cargo")?;
    if output.status.success() { read(&output.stdout).map(Some) } else { Ok(None) }
}

fn read(messages: &[u8]) -> anyhow::Result<Vec<Artifact>> {
    let messages = serde_json::Deserializer::from_slice(messages).into_iter::<Message>();
    messages
        .filter_map(|message| match message {
            Ok(Message::CompilerArtifact(artifact)) => Some(Ok(artifact)),
            Ok(Message::Other) => None,
            Err(error) => Some(Err(error).context("cannot read what cargo printed")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_found_among_other_messages() {
        let messages = br#"
            {"reason":"build-script-executed","package_id":"p","linked_libs":[]}
            {"reason":"compiler-artifact","target":{"kind":["test"],"name":"t"},"filenames":["/a/t"],"executable":"/a/t"}
            {"reason":"compiler-artifact","target":{"name":"l"},"filenames":["/a/l.so","/a/l.rlib"],"executable":null}
            {"reason":"build-finished","success":true}"#;
        let artifacts = read(messages).unwrap();
        assert_eq!(artifacts.iter().map(|a| a.target.name.as_str()).collect::<Vec<_>>(), ["t", "l"]);
        assert_eq!(artifacts[0].executable, Some("/a/t".into()));
        assert_eq!((artifacts[1].filenames.len(), &artifacts[1].executable), (2, &None));
        assert!(read(b"warning: no JSON").is_err());
    }
}
