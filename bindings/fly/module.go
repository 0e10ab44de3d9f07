package fly

import "github.com/webhost-systems/drhost/host/binding"

// Module declares `require "fly"`.
func Module() *binding.Module {
	return binding.Listing(binding.NewModule[*Client, settings]("fly",
		"Apps, machines, secrets, volumes, releases, logs and Postgres of Fly.io.", open,
		binding.Declare(readApps), binding.Declare(readStatus), binding.Declare(readMachines), binding.Declare(readMachine), binding.Declare(readEvents),
		binding.Declare(readVersions), binding.Declare(waitMachine), binding.Declare(readLogs), binding.Declare(readReleases),
		binding.Declare(readSecrets), binding.Declare(readVolumes), binding.Declare(readSnapshots),
		binding.Declare(restart), binding.Declare(machineRestart), binding.Declare(machineStart()), binding.Declare(machineStop()),
		binding.Declare(machineCordon()), binding.Declare(machineUncordon()), binding.Declare(machineDestroy), binding.Declare(execFunc),
		binding.Declare(scaleCount), binding.Declare(scaleMemory), binding.Declare(clone), binding.Declare(moveRegion),
		binding.Declare(rollback), binding.Declare(secretsSet), binding.Declare(volumeSnapshot), binding.Declare(volumeRestore),
		binding.Declare(pgStatus), binding.Declare(pgBackups), binding.Declare(pgRestart), binding.Declare(pgFailover),
		binding.Declare(pgBackupCreate), binding.Declare(pgRestore),
		binding.Declare(mpgList), binding.Declare(mpgGet), binding.Declare(mpgBackups),
		binding.Declare(mpgBackupCreate), binding.Declare(mpgRestore), binding.Declare(mpgFork),
	), (*Client).inventory)
}
