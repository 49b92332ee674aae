import * as iam from "aws-cdk-lib/aws-iam";

/**
 * The rights that a function needs beyond its document in `iam/`, which covers the lake and the services that the test bed emulates: its own
 * log, traces, the key, and the channels of notify. Each right is one function of this file, with its reason; `sluice-functions.ts` decides
 * which function gets which.
 */

/** Every function writes its own log, and no other. The group exists before the function, so none may create groups. */
export function writeOwnLog(logGroupArn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "WriteOwnLog",
    actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
    resources: [`${logGroupArn}:*`],
  });
}

/** Every function is traced. X-Ray does not support resources in policies. */
export function sendTraces(): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid: "SendTraces", actions: ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources: ["*"] });
}

/** Lambda decrypts the environment as the function's role; the encryption context binds that to this one function. */
export function readOwnEnvironment(keyArn: string, functionArn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "ReadOwnEnvironment",
    actions: ["kms:Decrypt"],
    resources: [keyArn],
    conditions: { StringEquals: { "kms:EncryptionContext:aws:lambda:FunctionArn": functionArn } },
  });
}

/** Objects of the lake are encrypted with the key. Only S3 may use it for the role, so that the role cannot bypass S3's policies. */
export function useLakeKey(keyArn: string, region: string, use: "read" | "read-and-write"): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "UseLakeKeyThroughS3",
    actions: use === "read" ? ["kms:Decrypt"] : ["kms:Decrypt", "kms:GenerateDataKey"],
    resources: [keyArn],
    conditions: { StringEquals: { "kms:ViaService": `s3.${region}.amazonaws.com` } },
  });
}

/** data-product reads the secret that masks are keyed with, once for each of its environments. */
export function readMaskingSecret(secretArn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid: "ReadMaskingSecret", actions: ["secretsmanager:GetSecretValue"], resources: [secretArn] });
}

/** The secret is encrypted with the lake's key: its reader needs the key, but only through Secrets Manager. */
export function useSecretKey(keyArn: string, region: string): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "UseSecretKeyThroughSecretsManager",
    actions: ["kms:Decrypt"],
    resources: [keyArn],
    conditions: { StringEquals: { "kms:ViaService": `secretsmanager.${region}.amazonaws.com` } },
  });
}

/** notify sends messages to people. */
export function tellPeople(topicArn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid: "TellPeople", actions: ["sns:Publish"], resources: [topicArn] });
}

/** The topic is encrypted: a publisher needs its key, but only through SNS. */
export function useTopicKey(keyArn: string, region: string): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "UseTopicKeyThroughSns",
    actions: ["kms:Decrypt", "kms:GenerateDataKey"],
    resources: [keyArn],
    conditions: { StringEquals: { "kms:ViaService": `sns.${region}.amazonaws.com` } },
  });
}

/** notify reads the addresses and keys of the channels for alerts, when it has something to send. */
export function readAlertSecrets(secretArns: readonly string[]): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid: "ReadAlertSecrets", actions: ["secretsmanager:GetSecretValue"], resources: [...secretArns] });
}

/** notify sends alerts to the subscribers of a topic. */
export function alertByEmail(topicArns: readonly string[]): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid: "AlertByEmail", actions: ["sns:Publish"], resources: [...topicArns] });
}

/** notify sends events to machines, and only with the source of Sluice, which the rules of others trust. */
export function tellMachines(eventBusArn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "TellMachines",
    actions: ["events:PutEvents"],
    resources: [eventBusArn],
    conditions: { StringEquals: { "events:source": "sluice" } },
  });
}

/** notify reads the key of the server that takes OpenLineage events, once for each of its environments. */
export function readOpenLineageKey(secretArn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid: "ReadOpenLineageKey", actions: ["secretsmanager:GetSecretValue"], resources: [secretArn] });
}

/** Where that secret is encrypted with a key of its own, its reader needs the key, but only through Secrets Manager. */
export function useOpenLineageKeysKey(keyArn: string, region: string): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: "UseOpenLineageKeysKeyThroughSecretsManager",
    actions: ["kms:Decrypt"],
    resources: [keyArn],
    conditions: { StringEquals: { "kms:ViaService": `secretsmanager.${region}.amazonaws.com` } },
  });
}

/** Events that an asynchronous function could not handle go to its queue; Lambda sends them with the function's role. */
export function keepFailures(queueArn: string): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid: "KeepFailures", actions: ["sqs:SendMessage"], resources: [queueArn] });
}
