/** Commands of the local stack; what they need is loaded when one is used, so that help is quick. */
import type { RegisterCommands } from './output.ts';
import type { DoctorOptions } from './stack-doctor.ts';
import type { UpOptions } from './stack-up.ts';

export const register: RegisterCommands = (program, ctx) => {
  program
    .command('up')
    .description('start the platform on this machine (loopback only) and stay until Ctrl-C')
    .option('-d, --detach', 'return once it is ready; ratchet down ends it')
    .option('--parts <names>', 'only these, separated by commas, e.g. postgres,temporal,s3')
    .action(async (options: UpOptions) => (await import('./stack-up.ts')).up(ctx, options));
  program
    .command('down')
    .description('end the platform on this machine; its state stays')
    .action(async () => (await import('./stack-up.ts')).down(ctx));
  program
    .command('status')
    .description('parts, ports, memory and addresses, and what was left out')
    .action(async () => (await import('./stack-status.ts')).status(ctx));
  program
    .command('doctor')
    .description('check the machine, the state folder and the running parts; say how to fix')
    .option('--repair', 'start missing lifecycles, trials and schedules; end what runs for nothing')
    .action(async (options: DoctorOptions) =>
      (await import('./stack-doctor.ts')).doctor(ctx, options),
    );
};
