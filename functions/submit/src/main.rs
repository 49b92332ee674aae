//! The Lambda function `submit`.

fn main() {}
