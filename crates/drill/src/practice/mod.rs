//! One incident against a running sandbox, over its sockets and in real time, so that staff can practise and the console
//! shows it. What needs the inside of a host or a colleague at the desk (`hsm-fault`, `unlimited-operation`,
//! `counter-abuse`) cannot be played from outside, and is not.

mod scene;
mod stage;

use std::{sync::LazyLock, time::Duration};

use diagnosis::Cause;
use serde::Deserialize;
use simulator::Sandbox;

pub use stage::{NotPlayed, Seen};

use stage::Stage;

/// What can be practised.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Its name.
    pub name: String,
    /// Shorter words for it.
    pub also: Vec<String>,
    /// What the diagnosis should say.
    pub cause: Cause,
    /// What is played.
    pub happens: String,
    /// Where to look.
    pub look: String,
}

/// How to play.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Which customers, cards and terminals.
    pub seed: u64,
    /// Pause between two people.
    pub pace: Duration,
}

/// Everything that can be practised.
#[must_use]
pub fn scenes() -> &'static [Scene] {
    #[derive(Deserialize)]
    struct Scenes {
        scene: Vec<Scene>,
    }
    static SCENES: LazyLock<Scenes> = LazyLock::new(|| {
        toml::from_str(include_str!("../../data/practice.toml"))
            .unwrap_or_else(|error| panic!("data/practice.toml: {error}"))
    });
    &SCENES.scene
}

/// The scene of this name, or of a shorter word for it.
#[must_use]
pub fn scene(name: &str) -> Option<&'static Scene> {
    scenes().iter().find(|scene| scene.name == name || scene.also.iter().any(|word| word == name))
}

/// Plays a scene and tells of every payment. Returns what it was about: the terminal, version, card or zone.
///
/// # Errors
/// [`NotPlayed`] when the sandbox has not what it takes, or nobody is there.
pub async fn play(
    scene: &Scene,
    sandbox: &Sandbox,
    how: How,
    tell: &mut (dyn FnMut(&Seen) + Send),
) -> Result<String, NotPlayed> {
    let mut stage = Stage::set(sandbox, &scene.name, how, tell);
    stage.play(scene.cause).await
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_scene_has_words_of_its_own() {
        let mut words = HashSet::new();
        for scene in scenes() {
            assert_eq!(scene.name, scene.cause.name());
            assert!(!scene.happens.is_empty() && !scene.look.is_empty());
            for word in scene.also.iter().chain([&scene.name]) {
                assert!(words.insert(word.clone()), "{word} twice");
                assert_eq!(super::scene(word).map(|found| found.cause), Some(scene.cause));
            }
        }
        assert!(super::scene("bad-luck").is_none());
    }
}
