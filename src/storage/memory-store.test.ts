import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runStoreContract } from "../../test/run-store-contract.ts";
import { memoryStore } from "./memory-store.ts";
import { runFolder } from "./node-run-folder.ts";

runStoreContract("memory", async () => memoryStore());
runStoreContract("a folder", async () => runFolder(await mkdtemp(join(tmpdir(), "forwardgrad-"))));
