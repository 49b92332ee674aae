import type { Stack } from "aws-cdk-lib";

import type { Settings } from "../config.ts";
import type { StatefulResources } from "../stateful-resources.ts";

/**
 * The channels for alerts, as notify reads them (SLUICE_ALERT_CHANNELS): addresses and references to secrets, no secret. `none` where the
 * settings have no channel.
 */
export function alertChannels(settings: Settings, stateful: StatefulResources, stack: Stack): string {
  if (settings.alerts.length === 0) {
    return "none";
  }
  const channels = settings.alerts.map(({ topic, ...channel }) => ({ ...channel, ...(topic && { topic: stateful[topic].topicArn }) }));
  // Topics are of another stack, so that their ARNs are known when that is deployed.
  return stack.toJsonString(channels);
}

/** ARNs of the secrets that the channels name, each once. */
export function alertSecrets({ alerts }: Settings): string[] {
  const references = alerts.flatMap(({ address, key }) => [address, key]);
  const arns = references.filter((text) => text?.startsWith("secretsmanager:")).map((text) => text?.slice("secretsmanager:".length) ?? "");
  return [...new Set(arns)].sort();
}

/** ARNs of the topics that the channels of kind email name, each once. */
export function alertTopics({ alerts }: Settings, stateful: StatefulResources): string[] {
  const topics = alerts.flatMap(({ topic }) => (topic === undefined ? [] : [topic]));
  return [...new Set(topics)].sort().map((topic) => stateful[topic].topicArn);
}
