//! Values that are carried and not read.
//!
//! Every extension addition is an open type: its length stands before it. What nothing here has a use for is kept as
//! the octets it came in, and goes out as it came.

use rasn::{
    AsnType, Decode, Decoder, Encode, Encoder,
    types::{Constraints, Identifier, Tag, constraints::Constraint},
};

/// One octet of an open type, which begins on an octet's boundary.
const OCTET: Constraints = rasn::constraints!(octet());

const fn octet() -> Constraint {
    rasn::value_constraint!(0, 255)
}

/// The octets of an extension addition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Opaque(pub Vec<u8>);

impl AsnType for Opaque {
    const TAG: Tag = Tag::OCTET_STRING;
    const IDENTIFIER: Identifier = Identifier::OCTET_STRING;
}

impl Decode for Opaque {
    /// Everything that is left: the decoder is one for this addition alone, and no error but its end can come up.
    fn decode_with_tag_and_constraints<D: Decoder>(
        decoder: &mut D,
        tag: Tag,
        _: &Constraints,
    ) -> Result<Self, D::Error> {
        let mut octets = Vec::new();
        while let Ok(octet) = decoder.decode_integer::<u8>(tag, &OCTET) {
            octets.push(octet);
        }
        Ok(Self(octets))
    }
}

impl Encode for Opaque {
    fn encode_with_tag_and_constraints<'encoder, E: Encoder<'encoder>>(
        &self,
        encoder: &mut E,
        tag: Tag,
        _: &Constraints,
        _: Identifier,
    ) -> Result<(), E::Error> {
        for octet in &self.0 {
            encoder.encode_integer(tag, &OCTET, octet, Identifier::EMPTY)?;
        }
        Ok(())
    }
}

/// What would have to be read to get past it, and cannot be: the cryptographic tokens of H.235 in front of other
/// fields. A message that has them there is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Unreadable {}

impl AsnType for Unreadable {
    const TAG: Tag = Tag::NULL;
    const IDENTIFIER: Identifier = Identifier::NULL;
}

impl Decode for Unreadable {
    fn decode_with_tag_and_constraints<D: Decoder>(
        decoder: &mut D,
        _: Tag,
        _: &Constraints,
    ) -> Result<Self, D::Error> {
        Err(rasn::de::Error::custom(
            "cryptoTokens stand before other fields and cannot be read",
            decoder.codec(),
        ))
    }
}

impl Encode for Unreadable {
    fn encode_with_tag_and_constraints<'encoder, E: Encoder<'encoder>>(
        &self,
        _: &mut E,
        _: Tag,
        _: &Constraints,
        _: Identifier,
    ) -> Result<(), E::Error> {
        match *self {}
    }
}
