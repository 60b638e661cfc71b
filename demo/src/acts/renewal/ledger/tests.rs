//! The books are right: what is wasted, what is punished, what is forgiven.

use super::*;

fn ledger() -> (Arc<Ledger>, Grant) {
    let ledger = Arc::new(Ledger::new(
        Duration::from_secs(600),
        Duration::ZERO..Duration::ZERO,
    ));
    let first = ledger.sign_in();
    (ledger, first)
}

/// A mint whose answer arrives.
fn mint(ledger: &Arc<Ledger>, used: Grant) -> Result<Grant, InvalidGrant> {
    let attempt = ledger.attempt(used);
    let grant = ledger.mint(used, attempt.number)?.answer()?;
    attempt.arrived();
    Ok(grant)
}

#[test]
fn a_second_use_of_a_refresh_token_revokes_the_family() {
    let (ledger, first) = ledger();
    let second = mint(&ledger, first).unwrap();
    assert!(ledger.accepts(second));
    assert!(mint(&ledger, first).is_err());
    assert!(!ledger.accepts(second));
    assert!(mint(&ledger, second).is_err());
    let sign_in = mint(&ledger, SIGNED_OUT).unwrap();
    assert!(ledger.accepts(sign_in));
    assert_eq!(ledger.counts().punished, 2);
}

#[test]
fn two_mints_at_a_time_are_both_punished() {
    let (ledger, first) = ledger();
    let (a, b) = (ledger.attempt(first), ledger.attempt(first));
    let under_way = ledger.mint(first, a.number).unwrap();
    assert!(ledger.mint(first, b.number).is_err());
    assert!(under_way.answer().is_err());
}

#[test]
fn a_mint_whose_requester_has_gone_uses_nothing() {
    let (ledger, first) = ledger();
    let gone = ledger.attempt(first);
    let under_way = ledger.mint(first, gone.number).unwrap();
    drop(gone);
    assert!(mint(&ledger, first).is_ok());
    // The endpoint has not noticed it until now.
    assert!(under_way.answer().is_ok());
    assert_eq!(ledger.counts().minted, 1);
}

#[test]
fn a_mint_beside_a_valid_token_is_wasted() {
    let (ledger, first) = ledger();
    let second = mint(&ledger, first).unwrap();
    assert_eq!(ledger.counts().wasted, 1);
    ledger.revoke_latest();
    mint(&ledger, second).unwrap();
    assert_eq!(ledger.counts().wasted, 1);
}

#[test]
fn an_early_mint_is_one_for_each_token_that_is_old() {
    let life = Duration::from_secs(20);
    let ledger = Arc::new(Ledger::new(life, Duration::ZERO..Duration::ZERO));
    let first = ledger.sign_in();
    if let Some(entry) = ledger.book().grants.get_mut(&first) {
        entry.set_out -= life / 2;
    }
    let late = ledger.attempt(first);
    let second = mint(&ledger, first).unwrap();
    let counts = ledger.counts();
    assert_eq!((counts.early, counts.wasted), (1, 0));
    ledger.mint(second, late.number).unwrap().answer().unwrap();
    late.arrived();
    let counts = ledger.counts();
    assert_eq!((counts.early, counts.wasted), (1, 1));
}

#[test]
fn a_token_ends_in_use_once() {
    let (ledger, first) = ledger();
    ledger.revoke_latest();
    assert!(!ledger.accepts(first) && !ledger.accepts(first));
    assert_eq!(ledger.counts().revoked, 1);
}
