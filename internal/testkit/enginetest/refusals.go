package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

// refusals are specs that no engine, or not this one, can serve.
func refusals(h Harness) map[string]func(*container.Spec) {
	all := map[string]func(*container.Spec){
		"no name":            func(s *container.Spec) { s.Name = "" },
		"no game":            func(s *container.Spec) { s.Labels.GameID = "" },
		"no operation":       func(s *container.Spec) { s.Labels.OperationID = "" },
		"of another store":   func(s *container.Spec) { s.Labels.Store = "another" },
		"of another region":  func(s *container.Spec) { s.Labels.Region = "another" },
		"of another node":    func(s *container.Spec) { s.Labels.Node = "another" },
		"limit of CPUs":      func(s *container.Spec) { s.CPUs = 0.5 },
		"limit of memory":    func(s *container.Spec) { s.MemoryBytes = 64 << 20 },
		"network of a name":  func(s *container.Spec) { s.Network = "galaxy" },
		"port out of bounds": func(s *container.Spec) { s.Port = 65536 },
	}
	if h.Limits {
		delete(all, "limit of CPUs")
		delete(all, "limit of memory")
	}
	if h.Network != "" {
		delete(all, "network of a name")
	}
	return all
}

func refusalBehaviours() []behaviour {
	return []behaviour{
		{"a spec that the engine cannot serve is ErrInvalid and creates nothing", func(t *testing.T, r *rig) {
			for name, spoil := range refusals(r.Harness) {
				spec := r.spec("game")
				spoil(&spec)
				_, err := r.engine.Create(t.Context(), spec)
				require.ErrorIs(t, err, runtime.ErrInvalid, name)
			}
			require.Empty(t, r.list(t, ""))
		}},
		{"an image that is not on the node is ErrNoImage and creates nothing", func(t *testing.T, r *rig) {
			spec := r.spec("game")
			spec.Labels.Image = r.MissingImage
			_, err := r.engine.Create(t.Context(), spec)
			require.ErrorIs(t, err, container.ErrNoImage)
			require.ErrorContains(t, err, r.MissingImage)
			require.Empty(t, r.list(t, ""))
		}},
		{"limits are accepted by an engine that has them", func(t *testing.T, r *rig) {
			if !r.Limits {
				return // they are among the refusals
			}
			spec := r.spec("game")
			spec.CPUs, spec.MemoryBytes = 0.5, 64<<20
			require.Equal(t, container.StateRunning, r.start(t, r.create(t, spec).ID).State)
		}},
	}
}
