//! Elementwise mathematics.

/// Functions.
pub trait Math: Copy {
    /// e^x.
    fn exp(self) -> Self;
    /// 2^x.
    fn exp2(self) -> Self;
    /// 10^x.
    fn exp10(self) -> Self;
    /// e^x - 1.
    fn expm1(self) -> Self;
    /// ln.
    fn ln(self) -> Self;
    /// log2.
    fn log2(self) -> Self;
    /// log10.
    fn log10(self) -> Self;
    /// ln(1+x).
    fn log1p(self) -> Self;
    /// x^y.
    fn pow(self, y: Self) -> Self;
}
macro_rules! m { ($($t:ident),*) => {$(impl Math for $t {
    fn exp(self)->Self{self.exp()} fn exp2(self)->Self{self.exp2()} fn exp10(self)->Self{(10.0 as $t).powf(self)}
    fn expm1(self)->Self{self.exp_m1()} fn ln(self)->Self{self.ln()} fn log2(self)->Self{self.log2()} fn log10(self)->Self{self.log10()}
    fn log1p(self)->Self{self.ln_1p()} fn pow(self,y:Self)->Self{self.powf(y)}
})*}}
m!(f32, f64);
