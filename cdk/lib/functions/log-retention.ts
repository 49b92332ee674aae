import * as logs from "aws-cdk-lib/aws-logs";

import type { Settings } from "../config.ts";

const RETENTION: Readonly<Record<Settings["functions"]["logDays"], logs.RetentionDays>> = {
  7: logs.RetentionDays.ONE_WEEK,
  14: logs.RetentionDays.TWO_WEEKS,
  30: logs.RetentionDays.ONE_MONTH,
  60: logs.RetentionDays.TWO_MONTHS,
  90: logs.RetentionDays.THREE_MONTHS,
  180: logs.RetentionDays.SIX_MONTHS,
  365: logs.RetentionDays.ONE_YEAR,
  400: logs.RetentionDays.THIRTEEN_MONTHS,
  731: logs.RetentionDays.TWO_YEARS,
};

/** How long logs are kept: CDK's names for the days of the settings. */
export function logRetention(settings: Settings): logs.RetentionDays {
  return RETENTION[settings.functions.logDays];
}
