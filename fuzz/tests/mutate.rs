//! How inputs are changed.

use backdrop_fuzz::corpus;
use backdrop_fuzz::mutate::{LONGEST, mutate};
use backdrop_fuzz::random::Random;
use backdrop_fuzz::targets::TARGETS;

#[test]
fn inputs_are_changed_whatever_they_have_become() {
    let mut random = Random::new(1);
    for target in TARGETS {
        let mut inputs: Vec<_> =
            corpus::load(target.name).unwrap().into_iter().map(|input| input.bytes).collect();
        inputs.extend([
            vec![],
            vec![0],
            b"SIMPLE  = T".to_vec(),
            format!("{:80}X", "SIMPLE  = T").into_bytes(),
            b"\0PK\x03\x04".to_vec(),
        ]);
        for _ in 0..3000 {
            let [from, other, to] = [0; 3].map(|_| random.below(inputs.len()));
            let new = mutate(&inputs[from], &inputs[other], target.prefix, target.words, &mut random);
            assert!(new.len() <= LONGEST + target.prefix);
            inputs[to] = new;
        }
    }
}

#[test]
fn the_sequence_is_that_of_the_reference() {
    let mut random = Random::new(1_234_567);
    assert_eq!([random.bits(), random.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
}
