package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSettingsFile(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil, "--config", file(t, `# every type of setting
---
listen: 127.0.0.1:9000
insecure: true
etcd-quota-bytes: 9007199254740993
etcd-dial-timeout: 1m30s
etcd-endpoints:
- http://a:1
- http://b:2
region: "no"
node: 10.0.0.1
...
# the end
`))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9000", c.Listen)
	require.True(t, c.Insecure)
	require.EqualValues(t, 9007199254740993, c.EtcdQuotaBytes, "all digits are kept")
	require.Equal(t, 90*time.Second, c.EtcdDialTimeout)
	require.Equal(t, []string{"http://a:1", "http://b:2"}, c.EtcdEndpoints)
	require.Equal(t, "no", c.Region)
	require.Equal(t, "10.0.0.1", c.Node)
}

func TestListAsOneString(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil, "--config", file(t, "etcd-endpoints: http://a:1,http://b:2\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"http://a:1", "http://b:2"}, c.EtcdEndpoints)
}

func TestFileWithoutSettings(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n", "{}\n"} {
		_, err := load(t, nil, "--config", file(t, text))
		require.NoError(t, err, "file %q", text)
	}
}

func TestInvalidFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"not YAML":         {"a: [", "yaml: line 1"},
		"a string":         {"hello\n", "must contain settings, one NAME: VALUE per line"},
		"a list":           {"- region: eu\n", "must contain settings"},
		"unknown":          {"reigon: eu\n", `"reigon" is not a setting; settings have the names of the flags of`},
		"underscores":      {"data_dir: x\n", `"data_dir" is not a setting`},
		"a file of a file": {"config: other.yaml\n", `"config" is not a setting`},
		"twice":            {"region: eu\nregion: us\n", `"region" already set in map`},
		"two documents":    {"region: eu\n---\nregion: us\n", "contains more than one YAML document"},
		"after the end":    {"region: eu\n...\nregion: us\n", "did not find expected <document start>"},
		"after a flow":     {"{region: eu} x\n", "did not find expected"},

		// YAML parses these unquoted words as other types.
		"Norway":         {"region: no\n", "region must be a string; put it in quotes"},
		"a hex number":   {"node: 0x10\n", "node must be a string; put it in quotes"},
		"a number":       {"node: 1.10\n", "node must be a string; put it in quotes"},
		"nothing":        {"region:\n", "region must be a string"},
		"an object":      {"region: {name: eu}\n", "region must be a string"},
		"a list where":   {"region: [eu]\n", "region must be a string"},
		"bool as string": {"insecure: \"true\"\n", "insecure must be true or false"},
		"bool as digit":  {"insecure: 1\n", "insecure must be true or false"},
		"size as string": {"etcd-quota-bytes: 8GB\n", "etcd-quota-bytes must be a number"},
		"size in parts":  {"etcd-quota-bytes: 1.5\n", `etcd-quota-bytes: invalid argument "1.5"`},
		"no unit":        {"etcd-retention: 10\n", "etcd-retention must be a string"},
		"bad unit":       {"etcd-retention: 10x\n", `etcd-retention: invalid argument "10x"`},
		"list of lists":  {"etcd-endpoints: [[http://a:1]]\n", "etcd-endpoints must be a list of strings; item 1 is not"},
		"number listed":  {"etcd-endpoints: [http://a:1, 2]\n", "item 2 is not"},
		"bad endpoint":   {"etcd-endpoints: [a]\n", `--etcd-endpoints: "a" is not a client URL`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := file(t, c.text)
			_, err := load(t, nil, "--config", path)
			require.ErrorContains(t, err, c.want)
			if name != "bad endpoint" { // found after all sources are merged
				require.ErrorContains(t, err, "--config "+path)
			}
		})
	}
}

func TestEveryErrorOfAFileIsReportedInOrder(t *testing.T) {
	t.Parallel()
	path := file(t, "zone: x\nregion: no\ninsecure: perhaps\n")
	_, err := load(t, nil, "--config", path)
	require.EqualError(t, err, "--config "+path+": insecure must be true or false\n"+
		"--config "+path+": region must be a string; put it in quotes\n"+
		"--config "+path+": \"zone\" is not a setting; settings have the names of the flags of `rtmanager serve --help`")
}

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	_, err := load(t, nil, "--config", "missing.yaml")
	require.ErrorContains(t, err, "--config: open missing.yaml: no such file or directory")
	dir := t.TempDir()
	_, err = load(t, nil, "--config", dir)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "is a directory")
}
