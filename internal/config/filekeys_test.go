package config_test

import (
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// Every flag is also a setting of the file: its default changes nothing, and an invalid
// value is an error that names the setting.
func TestEveryFlagIsASettingOfTheFile(t *testing.T) {
	t.Parallel()
	without, err := load(t, nil)
	require.NoError(t, err)
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.Bind(flags, func(string) (string, bool) { return "", false })
	settings := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" && f.Name != "data-dir" { // load sets the directory by its flag, which takes precedence
			_, err := load(t, nil, "--config", file(t, f.Name+": {x: y}\n"))
			require.ErrorContains(t, err, ": "+f.Name+" must be ", "setting %s to an object", f.Name)
		}
		value := f.DefValue
		switch {
		case f.Name == "config" || f.Name == "data-dir" || f.Name == "etcd-endpoints" || f.Name == "cluster-join" || f.Name == "docker-allow-network" || f.Name == "federate" || f.Name == "node-labels" || f.Name == "node-taints": // the file itself is no setting; the other defaults are not values
			return
		case f.Value.Type() == "string" || f.Value.Type() == "duration":
			value = `"` + value + `"`
		}
		settings++
		with, err := load(t, nil, "--config", file(t, f.Name+": "+value+"\n"))
		require.NoError(t, err, "setting %s: %s", f.Name, value)
		require.Equal(t, without, with, "setting %s: %s", f.Name, value)
	})
	require.Greater(t, settings, 15, "number of settings")
}
