//! Between the script's JSON and the API's types, by the API's descriptors.

use std::sync::LazyLock;

use anyhow::Context;
use pointbridge_proto::FILE_DESCRIPTOR_SET;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok());

/// The message that JSON stands for.
pub(crate) fn read<T: Message + Name + Default>(json: &Value) -> anyhow::Result<T> {
    let message = DynamicMessage::deserialize(descriptor::<T>()?, json)
        .with_context(|| format!("the script's request is no {}", T::NAME))?;
    Ok(message.transcode_to()?)
}

/// The message as JSON, without what has its default value.
pub(crate) fn write<T: Message + Name>(message: &T) -> anyhow::Result<Value> {
    let mut dynamic = DynamicMessage::new(descriptor::<T>()?);
    dynamic.transcode_from(message)?;
    Ok(serde_json::to_value(&dynamic)?)
}

fn descriptor<T: Name>() -> anyhow::Result<MessageDescriptor> {
    let pool = POOL.as_ref().context("the API's descriptors cannot be read")?;
    pool.get_message_by_name(&T::full_name()).with_context(|| format!("the API has no {}", T::full_name()))
}
