//! Records a minutes text and prints what the three services know of it.
//!
//! cargo run -p jiyao-client --example import -- organs/linlan minutes.txt

use jiyao_client::{Client, Import};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(organ), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: import organs/ORGAN FILE".into());
    };
    let client = Client::builder().build()?;
    let imported = client.import_minutes(Import::new(&organ, std::fs::read(file)?)).await?;
    let name = &imported.minutes.name;
    println!("{name}{}", if imported.already_recorded { " (recorded before)" } else { "" });
    for entry in client.list_decisions(name, None).await?.entries {
        let leads: Vec<_> = entry.decision.lead_units.iter().map(|unit| unit.value.as_str()).collect();
        println!("{} {} {}", entry.item_number, entry.decision.outcome.value, leads.join("、"));
    }
    // Attendance and distribution follow records: these wait until they have come so far.
    let roll = client.roll(name, Some(&imported.position)).await?;
    let list = client.distribution_list(name, Some(&imported.position)).await?;
    println!("{} present, {} observers, {} recipients", roll.present, roll.observers, list.recipients.len());
    Ok(())
}
