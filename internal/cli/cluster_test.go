package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func clusterInit(t *testing.T, dir string, members ...string) result {
	t.Helper()
	args := []string{"cluster", "init", "--dir", dir}
	for _, member := range members {
		args = append(args, "--member", member)
	}
	return run(t, "", args...)
}

func TestClusterInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	r := clusterInit(t, dir, "eu/eu-1=10.0.1.1", "us/us-1=us.example,10.0.2.1", "ap/ap-1=fd00::3")
	r.requireCode(t, 0, "init")
	for _, want := range []string{
		"3 members, 1 may be lost",
		"scp " + dir + "/nodes/us/us-1/* us.example:/etc/rtmanager/\n",
		"  rtmanager serve --cluster-init --certs /etc/rtmanager --region eu --node eu-1 --listen 10.0.1.1:8080\n",
		"  rtmanager serve --cluster-join https://10.0.1.1:2379 --certs /etc/rtmanager --region us --node us-1 --listen 0.0.0.0:8080 --advertise https://us.example:8080\n",
		"--region ap --node ap-1 --listen [fd00::3]:8080\n",
		"rtmanager context set cluster --server https://10.0.1.1:8080 --cacert " + dir + "/users/admin/ca.crt",
	} {
		require.Contains(t, r.out, want)
	}
	require.NotContains(t, r.out+r.err, "PRIVATE KEY")
	require.Empty(t, r.err)
	for _, file := range []string{"tls.crt", "tls.key", "ca.crt", "etcd.crt", "etcd.key", "etcd-ca.crt"} {
		require.FileExists(t, filepath.Join(dir, "nodes", "ap", "ap-1", file))
	}
	r = clusterInit(t, dir, "eu/eu-1=10.0.1.1")
	r.requireCode(t, 1, "a second init")
	require.Contains(t, r.err, "the directory has an authority already")
	require.Contains(t, r.err, "rtmanager cluster cert issue")

	run(t, "", "cluster", "cert", "issue", "--dir", dir, "--node", "eu/eu-2", "--host", "10.0.1.2").requireCode(t, 0, "issue")
	r = run(t, "", "cluster", "cert", "list", "--dir", dir)
	require.Contains(t, r.out, "nodes/eu/eu-2")
}

func TestClusterInitWarnsOfAnEvenNumber(t *testing.T) {
	t.Parallel()
	r := clusterInit(t, filepath.Join(t.TempDir(), "pki"), "eu/eu-1=10.0.1.1", "us/us-1=10.0.2.1")
	r.requireCode(t, 0, "init")
	require.Contains(t, r.err, "2 members tolerate no more losses than 1 member; use an odd number")
	require.Contains(t, r.out, "While 10.0.1.1 is down, use another member:\n  rtmanager context set cluster --server https://10.0.2.1:8080\n")
}

// Nothing is created for invalid members, and every fault is reported.
func TestInvalidMembersOfAClusterInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := clusterInit(t, filepath.Join(dir, "pki"), "eu/eu-1=10.0.1.1", "eu/eu-1=10.0.1.9", "us/us-1=10.0.1.1", "x", "us/=10.0.2.1", "a/b=h:1", "c/d=e,e", "c/../x=f", "g/h=0.0.0.0")
	r.requireCode(t, 2, "init")
	for _, want := range []string{
		"--member eu/eu-1=10.0.1.9: eu/eu-1 is named twice",
		"--member us/us-1=10.0.1.1: host 10.0.1.1 is also that of eu/eu-1; each member needs its own",
		"--member x: is not REGION/NODE=HOST",
		"--member us/=10.0.2.1: ",
		`--member a/b=h:1: host "h:1" is neither an IP address nor the name of a host`,
		"--member c/d=e,e: host e is named twice",
		"--member c/../x=f: ",
		"--member g/h=0.0.0.0: host 0.0.0.0 is not an address of one machine",
	} {
		require.Contains(t, r.err, want)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	r = clusterInit(t, filepath.Join(dir, "pki"), strings.Split("a/a=a b/b=b c/c=c d/d=d e/e=e f/f=f g/g=g h/h=h", " ")...)
	require.Contains(t, r.err, "8 members are named")
	run(t, "", "cluster", "init", "--dir", dir).requireCode(t, 2, "without members")
}
