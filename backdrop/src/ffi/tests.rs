use super::*;
use crate::fits::handmade::*;
use crate::source::FrameSource;

fn ffi(rows: usize, columns: usize) -> Vec<Hdu> {
    let pixels: Vec<u8> = (0..rows * columns).flat_map(|i| (i as f32).to_be_bytes()).collect();
    let p = Hdu::primary().card("TSTART", 1325.3).card("TSTOP", 1325.32);
    let i = Hdu::image(-32, &[rows, columns], pixels).card("CAMERA", 1).card("CCD", 4).card("DQUALITY", 0);
    vec![p, i.clone(), i]
}
#[test]
fn timing() {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("tess2018206192942-s0001-1-4-0120-s_ffic.fits");
    std::fs::write(&p, file_of(&ffi(2078, 2136))).unwrap();
    let gz = dir.path().join("b.fits.gz");
    {
        use std::io::Write;
        let mut e = flate2::write::GzEncoder::new(std::fs::File::create(&gz).unwrap(), flate2::Compression::fast());
        e.write_all(&std::fs::read(&p).unwrap()).unwrap(); e.finish().unwrap();
    }
    let t = std::time::Instant::now();
    for _ in 0..100 { FfiHeader::read(&p).unwrap(); }
    println!("header {:?}", t.elapsed()/100);
    let s = FfiSource::open(vec![p], None).unwrap();
    let mut out = vec![0.0; 2048*2048];
    for _ in 0..10 {
        let t = std::time::Instant::now();
        s.read(0, &mut out).unwrap();
        println!("read {:?}", t.elapsed());
    }
    assert_eq!(out[2048], 2136.0+44.0);
}
