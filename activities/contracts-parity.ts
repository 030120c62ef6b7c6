/** What the activities of replaying served predictions take and give. */

export interface OpenParityInput {
  readonly model: string;
  /** Slot of market time, ISO. */
  readonly asOf: string;
  /** That a person asked for; absent: the slot's own. */
  readonly reportId?: string;
}

export interface ParityRef {
  readonly reportId: string;
}

export interface ParityResult extends ParityRef {
  /** false: there is more to replay; the next call goes on. */
  readonly done: boolean;
  readonly replayed: number;
  readonly late: number;
  readonly different: number;
}

export interface FailParityInput extends ParityRef {
  readonly reason: string;
  /** Somebody ended it: that is no news. */
  readonly cancelled?: boolean;
}
