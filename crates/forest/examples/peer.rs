//! probe
fn cpu()->std::time::Duration{ let t=std::fs::read_to_string("/proc/thread-self/schedstat").unwrap(); std::time::Duration::from_nanos(t.split(' ').next().unwrap().parse().unwrap()) }
fn main() {
    let n = 1_000_000;
    let mut s = 1u64;
    let mut u = || { s = s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); ((s >> 33) as f64 + 0.5) / (1u64 << 31) as f64 };
    let v: Vec<f64> = (0..n * 5).map(|_| { (-2.0 * u().ln()).sqrt() * (6.283185307 * u()).cos() }).collect();
    for _ in 0..3 {
        let t = cpu();
        let m = forest::Matrix::new(&v, 5).unwrap();
        let t1 = (cpu()-t);
        let p = forest::Params { contamination: forest::Contamination::Auto, ..Default::default() }.check().unwrap();
        let f = forest::Forest::fit(&p, m, 1).unwrap();
        let t2 = (cpu()-t);
        let mut out = vec![0.0; n];
        f.score(m, 1, &mut out).unwrap();
        let t3 = (cpu()-t);
        f.score(m, 2, &mut out).unwrap();
        let t4 = (cpu()-t);
        let mut sum = 0.0;
        for i in 0..100000 { sum += f.score_row(&v[i * 5..i * 5 + 5]).unwrap(); assert_eq!(out[i], f.score_row(&v[i*5..i*5+5]).unwrap()); }
        let t5 = (cpu()-t);
        println!("matrix {t1:?} fit {:?} score {:?} two {:?} row {:?} {sum}", t2 - t1, t3 - t2, t4 - t3, (t5 - t4) / 200000);
    }
}
