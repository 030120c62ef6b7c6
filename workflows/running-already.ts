/**
 * Was a child refused because one of its id runs? By name: the class lives in a package that workflow code does not
 * import.
 */
export const isRunningAlready = (error: unknown): boolean =>
  error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError';
