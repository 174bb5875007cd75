/** Disks of few bytes for tests, which are full soon: file systems in memory, where this process may mount some. */
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./cli.ts";

/** @param size as mount takes it: `510k`, `6m` */
export function mountDisk(folder: string, size: string): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]).status === 0;
}

export function unmount(folder: string): void {
  spawnSync("umount", [folder]);
}

/** Whether this process may; says so where it may not. */
export function canMount(): boolean {
  const probe = temporaryFolder();
  const mounted = mountDisk(probe, "64k");
  if (mounted) unmount(probe);
  else console.warn("skipped: mounting a small disk needs more rights");
  return mounted;
}

/** Fills a disk to its last byte. Returns what makes room again. */
export function fill(disk: string): () => void {
  const fillers: string[] = [];
  for (let size = 2 ** 20; size >= 512; size /= 2) {
    for (let isFull = false; !isFull; ) {
      const filler = join(disk, `filler ${fillers.length}`);
      fillers.push(filler);
      try {
        writeFileSync(filler, new Uint8Array(size));
      } catch {
        isFull = true;
      }
    }
  }
  return () => {
    for (const filler of fillers) rmSync(filler, { force: true });
  };
}
