package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

// invalidSpecs returns changes of a valid spec that the engine must reject.
func invalidSpecs(h Harness) map[string]func(*container.Spec) {
	all := map[string]func(*container.Spec){
		"no name":           func(s *container.Spec) { s.Name = "" },
		"no game":           func(s *container.Spec) { s.Labels.GameID = "" },
		"no operation":      func(s *container.Spec) { s.Labels.OperationID = "" },
		"of another store":  func(s *container.Spec) { s.Labels.Store = "another" },
		"of another region": func(s *container.Spec) { s.Labels.Region = "another" },
		"of another node":   func(s *container.Spec) { s.Labels.Node = "another" },
		"CPU limit":         func(s *container.Spec) { s.CPUs = 0.5 },
		"memory limit":      func(s *container.Spec) { s.MemoryBytes = 64 << 20 },
		"named network":     func(s *container.Spec) { s.Network = "galaxy" },
		"port out of range": func(s *container.Spec) { s.Port = 65536 },
	}
	if h.Limits {
		delete(all, "CPU limit")
		delete(all, "memory limit")
	}
	if h.Network != "" {
		delete(all, "named network")
	}
	return all
}

func invalidSpecTests(h Harness) []contractTest {
	tests := []contractTest{
		{"Create returns ErrInvalid for a spec that the engine cannot serve, and creates nothing", func(t *testing.T, f *fixture) {
			for name, change := range invalidSpecs(f.Harness) {
				spec := f.spec("game")
				change(&spec)
				_, err := f.engine.Create(t.Context(), spec)
				require.ErrorIs(t, err, runtime.ErrInvalid, name)
			}
			require.Empty(t, f.list(t, ""))
		}},
		{"ValidateSpec returns ErrInvalid for the specs that Create rejects, and nil for others", func(t *testing.T, f *fixture) {
			for name, change := range invalidSpecs(f.Harness) {
				spec := f.spec("game")
				change(&spec)
				require.ErrorIs(t, f.engine.ValidateSpec(t.Context(), spec), runtime.ErrInvalid, name)
			}
			require.NoError(t, f.engine.ValidateSpec(t.Context(), f.spec("game")))
			require.Empty(t, f.list(t, ""), "it creates nothing")
		}},
		{"Create returns ErrNoImage for an image that is not on the node, and creates nothing", func(t *testing.T, f *fixture) {
			spec := f.spec("game")
			spec.Labels.Image = f.MissingImage
			_, err := f.engine.Create(t.Context(), spec)
			require.ErrorIs(t, err, container.ErrNoImage)
			require.ErrorContains(t, err, f.MissingImage)
			require.Empty(t, f.list(t, ""))
		}},
	}
	if h.Limits { // otherwise, limits are among the invalid specs
		tests = append(tests, contractTest{"Create accepts limits if the engine has them", func(t *testing.T, f *fixture) {
			spec := f.spec("game")
			spec.CPUs, spec.MemoryBytes = 0.5, 64<<20
			require.Equal(t, container.StateRunning, f.start(t, f.create(t, spec).ID).State)
		}})
	}
	return tests
}
