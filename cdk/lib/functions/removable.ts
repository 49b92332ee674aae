import { RemovalPolicy } from "aws-cdk-lib";

/**
 * What is deleted with the stateless stack: logs of functions, queues of undelivered events, groups of schedules. Everything that people or
 * auditors need later is in the lake, which the stateful stack keeps. CDK would keep most of it by default, and the next deployment would find
 * its names taken.
 */
export const removable = RemovalPolicy.DESTROY;
