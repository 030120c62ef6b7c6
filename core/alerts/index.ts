export { alertBody, composeAlert, wantsAlert } from './alert.ts';
export type { Alert, AlertPayload, WebhookFilter } from './alert.ts';
export { alertsOfReport, type ReportedDrift } from './of-report.ts';
export { ALERT_EVENTS, CHOSEN_EVENTS, alertEvents } from './events.ts';
export type { AlertEvent, AlertFacts } from './events.ts';
export { NEW_SECRET_COMMAND, parseWebhookSecrets, signatureHeaders } from './signature.ts';
