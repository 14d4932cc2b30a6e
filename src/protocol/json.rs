//! Reading JSON with one small decoder.
//!
//! serde compiles a decoder of a type for each format that the type is read from. An enum that is told apart by a tag is
//! read from a buffer of serde's own; a decoder for that has each struct twice, as an object and as an array, and can say
//! what is wrong in a sentence. Nobody reads these sentences, and no struct is written as an array: whatever a client
//! reads goes through [`Json`], whose decoders are half as large.

use serde::de::value::{CowStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// Reads a value of which nothing is told but that it does not have the form of its type.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    T::deserialize(serde_json::from_str::<Json>(text)?).map_err(de::Error::custom)
}

/// Any JSON. What needs no unescaping stays where it was read.
pub(super) enum Json<'de> {
    Null,
    Bool(bool),
    Whole(u64),
    Negative(i64),
    Fraction(f64),
    Text(Cow<'de, str>),
    List(Vec<Json<'de>>),
    Object(Vec<(Cow<'de, str>, Json<'de>)>),
}

/// It does not have the form of its type.
#[derive(Debug, thiserror::Error)]
#[error("this JSON does not have the form that is read here")]
pub(super) struct Misformed;

impl de::Error for Misformed {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Misformed
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, on: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(on))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Negative(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Fraction(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = object.next_entry::<Json, Json>()? {
            if let Json::Text(name) = name {
                fields.push((name, value));
            }
        }
        Ok(Json::Object(fields))
    }
}

impl<'de> IntoDeserializer<'de, Misformed> for Json<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads one type as another.
macro_rules! as_another {
    ($($method:ident as $other:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
            self.$other(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Misformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        match self {
            Json::Null => visitor.visit_unit(),
            Json::Bool(on) => visitor.visit_bool(on),
            Json::Whole(number) => visitor.visit_u64(number),
            Json::Negative(number) => visitor.visit_i64(number),
            Json::Fraction(number) => visitor.visit_f64(number),
            Json::Text(_) => self.deserialize_string(visitor),
            Json::List(_) => self.deserialize_seq(visitor),
            Json::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        match self {
            Json::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    // Each of these takes its own form alone: for the others nothing is compiled.

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        let Json::Bool(on) = self else { return Err(Misformed) };
        visitor.visit_bool(on)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        match self {
            Json::Whole(number) => visitor.visit_u64(number),
            Json::Negative(number) => visitor.visit_i64(number),
            _ => Err(Misformed),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        match self {
            Json::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Json::Text(Cow::Owned(text)) => visitor.visit_string(text),
            _ => Err(Misformed),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        let Json::List(items) = self else { return Err(Misformed) };
        let mut items = SeqDeserializer::new(items.into_iter());
        let list = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(list)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        let Json::Object(fields) = self else { return Err(Misformed) };
        visitor.visit_map(MapDeserializer::new(fields.into_iter()))
    }

    /// Of the enums that have no tag only those without data are read.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misformed> {
        let Json::Text(name) = self else { return Err(Misformed) };
        visitor.visit_enum(CowStrDeserializer::new(name))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misformed> {
        self.deserialize_map(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misformed> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misformed> {
        visitor.visit_unit()
    }

    as_another! {
        deserialize_u32 as deserialize_u64, deserialize_i32 as deserialize_u64, deserialize_i64 as deserialize_u64,
        deserialize_str as deserialize_string, deserialize_identifier as deserialize_string,
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple_struct
    }
}

/// An object with the tag by which serde names its variant: `{"t":"beat","g":1}`.
pub(super) struct Tagged<'de> {
    name: Cow<'de, str>,
    fields: Json<'de>,
}

impl<'de> Tagged<'de> {
    /// The frame, or whatever it is, with its name in the field `tag`.
    pub fn read<D: Deserializer<'de>>(tag: &str, deserializer: D) -> Result<Self, D::Error> {
        if let Json::Object(mut fields) = Json::deserialize(deserializer)?
            && let Some(at) = fields.iter().position(|(name, _)| name == tag)
            && let (_, Json::Text(name)) = fields.remove(at)
        {
            return Ok(Tagged { name, fields: Json::Object(fields) });
        }
        Err(de::Error::custom(Misformed))
    }
}

/// As serde reads an enum that has no tag: the name of its variant, and what that holds.
impl<'de> EnumAccess<'de> for Tagged<'de> {
    type Error = Misformed;
    type Variant = Json<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Json<'de>), Misformed> {
        Ok((seed.deserialize(CowStrDeserializer::new(self.name))?, self.fields))
    }
}

impl<'de> VariantAccess<'de> for Json<'de> {
    type Error = Misformed;

    fn unit_variant(self) -> Result<(), Misformed> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Misformed> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misformed> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misformed> {
        self.deserialize_map(visitor)
    }
}
