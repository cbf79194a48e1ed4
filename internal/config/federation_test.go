package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/federation"
)

// Stores are set by repeated flags, by one variable and by a list of the file.
func TestFederatedStores(t *testing.T) {
	t.Parallel()
	want := []federation.Setting{{Name: "us", URLs: []string{"https://us-1:8080", "https://us-2:8080"}}, {Name: "ap", URLs: []string{"http://ap-1:8080"}}}
	for name, load := range map[string]func() (config.Config, error){
		"flags": func() (config.Config, error) {
			return load(t, nil, "--federate", "us=https://us-1:8080,https://us-2:8080/", "--federate", "ap=http://ap-1:8080")
		},
		"one flag": func() (config.Config, error) {
			return load(t, nil, "--federate", "us=https://us-1:8080, https://us-2:8080,ap=http://ap-1:8080")
		},
		"variable": func() (config.Config, error) {
			return load(t, map[string]string{"RTMANAGER_FEDERATE": "us=https://us-1:8080,https://us-2:8080,ap=http://ap-1:8080"})
		},
		"list of file": func() (config.Config, error) {
			return load(t, nil, "--config", file(t, "federate: [\"us=https://us-1:8080,https://us-2:8080\", \"ap=http://ap-1:8080\"]\n"))
		},
	} {
		c, err := load()
		require.NoError(t, err, name)
		got, err := c.FederatedStores()
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
}

func TestInvalidFederatedStores(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"us":                      `--federate "us" is not NAME=URL`,
		"https://u:p@us-1":        `"…@us-1" is not NAME=URL`,
		"=https://us-1:8080":      `--federate "" is not the name of a store`,
		"us=":                     `--federate "us=" is not NAME=URL`,
		"u/s=https://us-1:8080":   `"u/s" is not the name of a store`,
		"us=us-1:8080":            `--federate us: "us-1:8080" is not a URL such as https://us-1:8080`,
		"us=https://u:p@us-1":     "is not a URL such as",
		"us=https://us-1/v1":      "is not a URL such as",
		"us=https://us-1?x=1":     "is not a URL such as",
		"us=ftp://us-1":           "is not a URL such as",
		"us=https://0.0.0.0:8080": "is not the address of one daemon",
		"local=https://us-1:8080": `"local" is the region of this daemon`,
		"us=https://us-1:8080,us=https://us-2:8080": `"us" names two stores; separate several URLs of one store by commas`,
		"us=https://us-1:8080,ap=https://us-1:8080": "--federate ap: https://us-1:8080 is a URL of store us already",
	} {
		_, err := load(t, nil, "--federate", value)
		require.ErrorContains(t, err, want, value)
		require.NotContains(t, err.Error(), "u:p", "a password")
	}
	_, err := load(t, nil, "--federate", "us=http://us-1:8080", "--tls-cert", "tls.crt", "--tls-key", "tls.key")
	require.ErrorContains(t, err, `"http://us-1:8080" is http, but this daemon authenticates its callers`)
}
