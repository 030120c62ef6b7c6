/** Commands of the local stack: up, down, status, doctor. */
import { doctor } from './stack-doctor.ts';
import type { RegisterCommands } from './output.ts';
import { status } from './stack-status.ts';
import { down, up, type UpOptions } from './stack-up.ts';

export const register: RegisterCommands = (program, ctx) => {
  program
    .command('up')
    .description('start the platform on this machine (loopback only) and stay until Ctrl-C')
    .option('-d, --detach', 'return once it is ready; ratchet down ends it')
    .option('--parts <names>', 'only these, separated by commas, e.g. postgres,temporal,s3')
    .action((options: UpOptions) => up(ctx, options));
  program
    .command('down')
    .description('end the platform on this machine; its state stays')
    .action(() => down(ctx));
  program
    .command('status')
    .description('parts, ports, memory and addresses, and what was left out')
    .action(() => status(ctx));
  program
    .command('doctor')
    .description('check the machine, the state folder and the running parts; say how to fix')
    .action(() => doctor(ctx));
};
