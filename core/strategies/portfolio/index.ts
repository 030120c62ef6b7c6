/** Portfolios of strategies: money shared out over columns of returns, decided anew from time to time. */
export {
  allocations,
  allocationSchema,
  type Allocation,
  type AllocationSpec,
} from './allocation.ts';
export {
  PORTFOLIO_COLUMNS_MAX,
  portfolioSchema,
  portfolioTargets,
  type InstrumentTargets,
  type PortfolioSpec,
  type PortfolioTargets,
  type Rebalancing,
} from './portfolio.ts';
export type { PortfolioColumn } from './timeline.ts';
