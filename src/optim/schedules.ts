/** Factor of the learning rate at a step, from 0 (first) to total − 1 (last). */
export type Schedule = (step: number, total: number) => number;

/** The same learning rate throughout. */
export const constant: Schedule = () => 1;

/**
 * Half a cosine from 1 to 0 (Loshchilov and Hutter, arXiv 1608.03983, without restarts): large steps early, then ever
 * smaller ones, which average out the noise of forward gradients.
 */
export const cosine: Schedule = (step, total) => 0.5 * (1 + Math.cos((Math.PI * step) / Math.max(total, 1)));

/** A straight line from 1 to 0. */
export const linear: Schedule = (step, total) => 1 - step / Math.max(total, 1);

const list = { constant, cosine, linear };

export type ScheduleName = keyof typeof list;

/** The schedules by name. */
export const schedules: Readonly<Record<ScheduleName, Schedule>> = list;
