import type { MiddlewareHandler } from 'hono';
import { ApiError, notFound, problemOf, problemResponse } from './errors.ts';
import type { InFlight } from './in-flight.ts';
import type { ApiParts } from './parts.ts';
import { noteEnd } from './request-end.ts';
import { checkHost, identify, newRequestId } from './request-guard.ts';
import { adviceRoutes } from './routes/advice.ts';
import { adviceComparisonRoutes } from './routes/advice-comparison.ts';
import { alertRoutes } from './routes/alerts.ts';
import { championRoutes } from './routes/champion.ts';
import { docsRoutes } from './routes/docs.ts';
import { driftRoutes } from './routes/drift.ts';
import { evaluationRoutes } from './routes/evaluations.ts';
import { explainRoutes } from './routes/explain.ts';
import { experimentEventRoutes } from './routes/experiment-events.ts';
import { experimentRoutes } from './routes/experiments.ts';
import { healthRoutes } from './routes/health.ts';
import { historyRoutes } from './routes/history.ts';
import { inferenceRoutes } from './routes/inference.ts';
import { keyRoutes } from './routes/keys.ts';
import { lifecycleRoutes } from './routes/lifecycle.ts';
import { mirrorRoutes } from './routes/mirror.ts';
import { modelRoutes } from './routes/models.ts';
import { parityRoutes } from './routes/parity.ts';
import { performanceRoutes } from './routes/performance.ts';
import { backtestProgressRoutes } from './routes/backtest-progress.ts';
import { backtestRoutes } from './routes/backtests.ts';
import { batchPredictionRowRoutes } from './routes/batch-prediction-rows.ts';
import { batchPredictionRoutes } from './routes/batch-predictions.ts';
import { batchPredictRoutes } from './routes/batch-predict.ts';
import { predictRoutes } from './routes/predict.ts';
import { signalRoutes } from './routes/signals.ts';
import { datasetVersionRoutes } from './routes/dataset-versions.ts';
import { recordRoutes } from './routes/records.ts';
import { reportRoutes } from './routes/report.ts';
import { resultRoutes } from './routes/results.ts';
import { searchRoutes } from './routes/search.ts';
import { trainingRoutes } from './routes/training.ts';
import { trialRoutes } from './routes/trials.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { versionRoutes } from './routes/versions.ts';
import { newApp, type App, type Env } from './secure.ts';

/** The HTTP API on what it is given. It never listens: `app.request()` is enough to test it. */
export function createApp(parts: ApiParts): App {
  const app = newApp();
  app.use('*', identify(), shedLoad(parts.inFlight), measure(parts), checkHost(parts.allowedHosts));
  const routes = [
    healthRoutes,
    predictRoutes,
    batchPredictRoutes,
    batchPredictionRoutes,
    batchPredictionRowRoutes,
    signalRoutes,
    adviceRoutes,
    adviceComparisonRoutes,
    resultRoutes,
    performanceRoutes,
    inferenceRoutes,
    uploadRoutes,
    experimentRoutes,
    experimentEventRoutes,
    searchRoutes,
    modelRoutes,
    versionRoutes,
    reportRoutes,
    backtestRoutes,
    backtestProgressRoutes,
    evaluationRoutes,
    parityRoutes,
    championRoutes,
    lifecycleRoutes,
    explainRoutes,
    historyRoutes,
    trialRoutes,
    trainingRoutes,
    driftRoutes,
    recordRoutes,
    datasetVersionRoutes,
    alertRoutes,
    keyRoutes,
    mirrorRoutes,
    docsRoutes,
  ];
  for (const register of routes) register(app, parts);
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'rk_<id>_<secret>',
  });
  app.notFound((c) => {
    throw unknownRoute(app, c.req.method, c.req.path);
  });
  app.onError((error, c) => {
    const requestId = c.get('requestId') ?? newRequestId();
    const problem = problemOf(error, parts.log, { requestId, path: c.req.path });
    return problemResponse(c, problem, requestId);
  });
  return app;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** 405 where the path exists for another method, else 404. */
function unknownRoute(app: App, method: string, path: string): ApiError {
  const allowed = METHODS.filter(
    (other) =>
      other !== method &&
      app.router.match(other, path)[0].some(([[, route]]) => route.path !== '/*'),
  );
  if (allowed.length === 0)
    return notFound('route.not-found', 'There is no such route; /docs lists them all.');
  return new ApiError(
    'method-not-allowed',
    'route.method',
    `Allowed here: ${allowed.join(', ')}.`,
    {
      headers: { allow: allowed.join(', ') },
    },
  );
}

function shedLoad(inFlight: InFlight): MiddlewareHandler<Env> {
  return async (_c, next) => {
    if (!inFlight.enter()) {
      throw new ApiError('unavailable', 'server.overloaded', 'Too many requests at once.', {
        retryAfterS: 1,
      });
    }
    try {
      await next();
    } finally {
      inFlight.leave();
    }
  };
}

function measure(parts: ApiParts): MiddlewareHandler<Env> {
  return async (c, next) => {
    const from = performance.now();
    await next();
    const { method, routePath: route } = c.req;
    const facts = { requestId: c.get('requestId'), method, route, status: c.res.status };
    noteEnd(parts, facts, performance.now() - from);
  };
}
