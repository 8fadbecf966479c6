//! Receipts over time: keys that change, and recipients that sign by a key of their own.

use anyhow::{Context as _, Result};
use jiyao_client::{
    Channel, Claim, DeliveryAct, DeliveryAddress, Key, ReceiptKind, Rejected, verify_receipt,
};
use jiyao_testkit::Local;

use crate::distribution::{House, UNIT};

#[tokio::test]
async fn a_receipt_stays_verifiable_after_the_service_has_another_key() -> Result<()> {
    let house = House::new().await?;
    let (_, deliveries) = house.issued().await?;
    let mine = deliveries.iter().find(|delivery| delivery.title == UNIT).context("a delivery")?;
    house.as_unit(UNIT)?.open_delivery(&mine.name).await?;
    let old = house.client.receipts(&mine.name).await?;
    let before = house.client.public_keys("receipt").await?;

    let House { services, folder, .. } = house;
    services.stop().await?;
    fs_err::remove_file(folder.path().join("distribution/keys/receipt.key"))?;
    let services = Local::start_joined(folder.path(), |_| {}).await?;
    let client = services.client()?;
    let keys = client.public_keys("receipt").await?;
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], before[0], "the one in use first");
    assert_eq!(verify_receipt(&old[0], &keys)?.kind, ReceiptKind::Opened);
    assert!(matches!(verify_receipt(&old[0], &keys[..1]), Err(Rejected::UnknownKey(_))));
    services.stop().await
}

#[tokio::test]
async fn a_unit_with_a_key_of_its_own_signs_by_it_alone() -> Result<()> {
    let house = House::new().await?;
    let (_, deliveries) = house.issued().await?;
    let mine = deliveries.iter().find(|delivery| delivery.title == UNIT).context("a delivery")?;
    let (key, other) = (Key::from_seed(&[5; 32]), Key::from_seed(&[6; 32]));
    let address = |key: &str| DeliveryAddress {
        unit: "u06".into(),
        channel: Channel::Inbox,
        key: key.into(),
        ..DeliveryAddress::default()
    };
    let refused = house.client.set_address(&house.organ, address("07")).await.unwrap_err();
    assert_eq!(refused.fields(), ["address.key"]);
    let text = key.public().webhook_text();
    house.client.set_address(&house.organ, address(&text)).await?;

    let unit = house.as_unit(UNIT)?;
    let claim = Claim { delivery: mine.name.clone(), sha256: mine.sha256.clone(), attempt: 1 };
    let sign = |claim_signature: String| DeliveryAct::Sign {
        attempt: 1,
        sha256: mine.sha256.clone(),
        signer: "章树声".into(),
        claim_signature,
    };
    let forged = [
        String::new(),
        other.sign_claim(&claim),
        key.sign_claim(&Claim { attempt: 2, ..claim.clone() }),
        "no signature".into(),
    ];
    for forged in forged {
        let refused = unit.deliver(&mine.name, sign(forged), None).await.unwrap_err();
        assert_eq!(refused.fields(), ["claim_signature"]);
    }
    unit.deliver(&mine.name, sign(key.sign_claim(&claim)), None).await?;
    let receipts = house.client.receipts(&mine.name).await?;
    let said =
        verify_receipt(receipts.last().context("a receipt")?, &house.client.public_keys("receipt").await?)?;
    assert_eq!(said.check_claim(&[other.public(), key.public()]), Ok(()));
    assert!(said.check_claim(&[other.public()]).is_err());
    // A key of a unit is none of a service.
    assert!(verify_receipt(&receipts[0], &[key.public()]).is_err());
    house.services.stop().await
}
