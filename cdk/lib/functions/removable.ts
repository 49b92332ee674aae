import { RemovalPolicy } from "aws-cdk-lib";

/**
 * What is deleted with the stateless stack: logs of functions, queues of undelivered events. Everything that people or auditors need later is
 * in the lake, which the stateful stack keeps.
 */
export const removable = RemovalPolicy.DESTROY;
