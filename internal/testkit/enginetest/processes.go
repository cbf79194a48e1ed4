package enginetest

import (
	"testing"
)

func processBehaviours(h Harness) []behaviour {
	if !h.Games {
		return nil
	}
	return []behaviour{
		{"a killed game leaves no process behind", func(t *testing.T, r *rig) {
			c := r.runReady(t, "--with-child", "--ignore-sigterm")
			r.stop(t, c.ID, 0)
			game(c).requireSilent(t)
		}},
		{"a game that exits when asked leaves no process behind", func(t *testing.T, r *rig) {
			c := r.runReady(t, "--with-child")
			requireExit(t, r.stop(t, c.ID, longGrace), 0)
			game(c).requireSilent(t)
		}},
		{"a game that crashes leaves no process behind", func(t *testing.T, r *rig) {
			c := r.runReady(t, "--with-child")
			r.crash(t, c, 3)
			requireExit(t, r.exited(t, c.ID), 3)
			game(c).requireSilent(t)
		}},
		{"a game that is removed leaves no process behind", func(t *testing.T, r *rig) {
			c := r.runReady(t, "--with-child")
			r.remove(t, c.ID)
			game(c).requireSilent(t)
		}},
	}
}
