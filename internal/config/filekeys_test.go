package config_test

import (
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// Every flag is also a setting of the file: given its default there, nothing
// changes, and given what no setting takes, it is refused by its own name.
func TestEveryFlagIsASettingOfTheFile(t *testing.T) {
	t.Parallel()
	without, err := load(t, nil)
	require.NoError(t, err)
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.Bind(flags, func(string) (string, bool) { return "", false })
	settings := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" && f.Name != "data-dir" { // load gives the directory by its flag, which wins
			_, err := load(t, nil, "--config", file(t, f.Name+": {x: y}\n"))
			require.ErrorContains(t, err, ": "+f.Name+" must be ", "setting %s to an object", f.Name)
		}
		value := f.DefValue
		switch {
		case f.Name == "config" || f.Name == "data-dir" || f.Name == "etcd-endpoints" || f.Name == "docker-allow-network": // no file of files; of the others the default is no value
			return
		case f.Value.Type() == "string" || f.Value.Type() == "duration":
			value = `"` + value + `"`
		}
		settings++
		with, err := load(t, nil, "--config", file(t, f.Name+": "+value+"\n"))
		require.NoError(t, err, "setting %s: %s", f.Name, value)
		require.Equal(t, without, with, "setting %s: %s", f.Name, value)
	})
	require.Greater(t, settings, 15, "the flags were not visited")
}
