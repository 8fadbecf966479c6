//! Prints each change of minutes, and the position to go on after.
//!
//! cargo run -p jiyao-client --example watch -- [POSITION]

use jiyao_client::{Client, Position};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let after = std::env::args().nth(1).and_then(|text| Position::parse(&text));
    let mut watch = Client::builder().build()?.watch_minutes("organs/-", after);
    loop {
        let watched = watch.next().await?;
        for change in watched.changes {
            println!("{} revision {}", change.minutes.name, change.revision);
        }
        println!("{}", watched.position);
    }
}
