//! All inputs that are kept, through their targets, and the same few thousand changes of them.

use std::time::{Duration, Instant};

use backdrop_fuzz::mutate::mutate;
use backdrop_fuzz::random::Random;
use backdrop_fuzz::targets::TARGETS;
use backdrop_fuzz::{corpus, scratch};

/// Changes of inputs that are tried with each target, and the most time for them.
const CHANGES: usize = 2000;
const LONGEST: Duration = Duration::from_secs(6);

// One test, since targets use the same files and their memory is counted for the whole process.
#[test]
fn targets_do_right_on_all_inputs_that_are_kept_and_on_changes_of_them() {
    let directory = scratch::new();
    scratch::set(directory.path());
    let mut faults = Vec::new();
    for target in TARGETS {
        let inputs = corpus::load(target.name).unwrap();
        assert!(!inputs.is_empty(), "there are no inputs in corpus/{}", target.name);
        for input in &inputs {
            if let Err(failure) = target.check(&input.bytes) {
                faults.push(format!("{}: {failure}", input.path.display()));
            }
        }
        let start = Instant::now();
        let mut random = Random::new(0);
        for change in 0..CHANGES {
            if start.elapsed() > LONGEST {
                break;
            }
            let input = &inputs[random.below(inputs.len())].bytes;
            let other = &inputs[random.below(inputs.len())].bytes;
            let input = mutate(input, other, target.prefix, target.words, &mut random);
            if let Err(failure) = target.check(&input) {
                let path = backdrop_fuzz::engine::save_crash(target, &input).unwrap();
                faults.push(format!("change {change} of {}, in {}: {failure}", target.name, path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
