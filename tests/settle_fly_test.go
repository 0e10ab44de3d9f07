package tests

import (
	"os"
	"path/filepath"
	"testing"
)

// lostAnswersOfFly has every function of fly that changes something, in an
// order in which none spoils the next.
func lostAnswersOfFly() []struct{ name, call, then string } {
	const first = `machine = machines("webhost-prod")[1].id`
	return []struct{ name, call, then string }{
		{"fly.exec", `fly.exec { app = "webhost-prod", ` + first + `, command = { "sh", "-c", "echo $PRIMARY_REGION" } }`, asked},
		{"fly.machine_restart", `fly.machine_restart { app = "webhost-prod", ` + first + ` }`, found},
		{"fly.machine_stop", `fly.machine_stop { app = "webhost-prod", ` + first + ` }`, found},
		{"fly.machine_start", `fly.machine_start { app = "webhost-prod", ` + first + ` }`, found},
		{"fly.machine_cordon", `fly.machine_cordon { app = "webhost-prod", ` + first + ` }`, found},
		{"fly.machine_uncordon", `fly.machine_uncordon { app = "webhost-prod", ` + first + ` }`, found},
		{"fly.restart", `fly.restart { app = "webhost-prod" }`, found},
		{"fly.scale_memory", `fly.scale_memory { app = "webhost-prod", memory = 1024 }`, found},
		{"fly.secrets_set", `fly.secrets_set { app = "webhost-prod", values = { ONCE = "only once" } }`, found},
		{"fly.rollback", `fly.rollback { app = "webhost-prod" }`, found},
		{"fly.clone", `fly.clone { app = "webhost-prod", ` + first + `, region = "fra" }`, found},
		{"fly.machine_destroy", `fly.machine_destroy { app = "webhost-prod", machine = machines("webhost-prod", "fra")[1].id, force = true }`, found},
		{"fly.scale_count", `fly.scale_count { app = "webhost-prod", count = 3 }`, found},
		{"fly.move_region", `fly.move_region { app = "webhost-prod", to = "fra" }`, found},
		{"fly.volume_snapshot", `fly.volume_snapshot { app = "webhost-prod-db", volume = volume() }`, asked},
		{"fly.volume_restore", `fly.volume_restore { app = "webhost-prod-db", volume = volume(), region = "fra" }`, asked},
		{"fly.pg_backup_create", `fly.pg_backup_create { app = "webhost-prod-db" }`, found},
		{"fly.pg_restore", `fly.pg_restore { app = "webhost-prod-db", to = "restored", organization = fly.status { app = "webhost-prod" }.organization }`, found},
		{"fly.pg_restart", `fly.pg_restart { app = "webhost-prod-db" }`, found},
		{"fly.pg_failover", `fly.pg_failover { app = "webhost-prod-db" }`, found},
		{"fly.mpg_backup_create", `fly.mpg_backup_create { cluster = "webhost-mpg" }`, asked},
		{"fly.mpg_restore", `fly.mpg_restore { cluster = "webhost-mpg" }`, found},
		{"fly.mpg_fork", `fly.mpg_fork { cluster = "webhost-mpg", name = "webhost-mpg-copy" }`, asked},
	}
}

// machinesOfFly gives the calls of lostAnswersOfFly their machines and volume.
const machinesOfFly = `
    local function machines(app, region)
      local out = {}
      for _, m in ipairs(fly.machines { app = app }) do
        if not region or m.region == region then out[#out + 1] = m end
      end
      return out
    end
    local function volume() return fly.machines { app = "webhost-prod-db" }[1].volume end`

// TestEveryChangeAtFlyIsSettled is TestEveryChangeIsSettled for the production
// tier of the plan, with a managed cluster beside it.
func TestEveryChangeAtFlyIsSettled(t *testing.T) {
	dir := workingFolder(t)
	text, err := os.ReadFile("../runbooks/worlds/production.toml")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "\n[[postgres]]\nname = \"webhost-mpg\"\nmachines = [\"ams\"]\nmanaged = true\n"...)
	path := filepath.Join(dir, "fly.toml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	startSim(t, dir, 300, "--world", path)
	for _, c := range lostAnswersOfFly() {
		t.Run(c.name, func(t *testing.T) { loseAnswer(t, dir, c.name, machinesOfFly, c.call, c.then) })
	}
}
