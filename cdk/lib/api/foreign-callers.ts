import * as iam from "aws-cdk-lib/aws-iam";

import { BEARER_ROUTES, CONSOLE_ROUTES, NOT_HERE, routesOf } from "./open-api.ts";

/**
 * The API's resource policy for callers of other accounts, who need it besides the policies of their own account.
 *
 * It opens only the routes of data products, where data-product asks the policy of each product who may read what: whoever administers the
 * other account decides there who may call, but must not start or stop runs here. Callers of this account and holders of bearer tokens need no
 * statement: for them, API Gateway is content with their own policy or the authorizer's, as long as nothing denies
 * (apigateway/latest/developerguide/apigateway-authorization-flow, table A).
 *
 * Browsers of the console are nobody for API Gateway: with a resource policy, they need a statement, too.
 *
 * @param accounts the other accounts
 * @param stage name of the API's stage
 * @param console whether the API has the console
 */
export function foreignCallers(accounts: readonly string[], stage: string, console: boolean): iam.PolicyDocument {
  const routes = routesOf("data-product").filter(({ path }) => !path.startsWith(BEARER_ROUTES) && !NOT_HERE.includes(path));
  const called = routes.map(({ verb, path }) => `${verb}${path.replaceAll(/\{[^}]+\}/g, "*")}`);
  return new iam.PolicyDocument({
    statements: [new iam.PolicyStatement({
      sid: "OtherAccountsReadDataProducts",
      principals: accounts.map((account) => new iam.ArnPrincipal(`arn:aws:iam::${account}:root`)),
      actions: ["execute-api:Invoke"],
      resources: [...called, "GET/openapi.json"].map((route) => `execute-api:/${stage}/${route}`),
    }), ...(console ? [openConsole(stage)] : [])],
  });
}

function openConsole(stage: string): iam.PolicyStatement {
  const called = CONSOLE_ROUTES.map(([verb, path]) => `${verb}${path.replaceAll(/\{[^}]+\}/g, "*")}`);
  return new iam.PolicyStatement({
    sid: "BrowsersReachTheConsole",
    principals: [new iam.AnyPrincipal()],
    actions: ["execute-api:Invoke"],
    resources: called.map((route) => `execute-api:/${stage}/${route}`),
  });
}
