package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressesOfAMember(t *testing.T) {
	t.Parallel()
	certs := bundle(t)
	for name, row := range map[string]struct {
		args                             []string
		client, peer                     string
		advertisedClient, advertisedPeer string
	}{
		"the host of the API": {
			args:   []string{"--cluster-init", "--certs", certs, "--listen", "10.0.1.1:8080"},
			client: "https://10.0.1.1:2379", peer: "https://10.0.1.1:2380",
		},
		"all addresses": {
			args:   []string{"--cluster-join", "https://10.0.1.1:2379", "--certs", certs, "--listen", ":8080", "--advertise", "https://us-1.example.com:8080"},
			client: "https://0.0.0.0:2379", peer: "https://0.0.0.0:2380",
			advertisedClient: "https://us-1.example.com:2379", advertisedPeer: "https://us-1.example.com:2380",
		},
		"behind NAT": {
			args: []string{"--cluster-init", "--certs", certs, "--listen", "10.0.1.1:8080",
				"--etcd-advertise-client", "https://192.0.2.1:12379", "--etcd-advertise-peer", "https://192.0.2.1:12380"},
			client: "https://10.0.1.1:2379", peer: "https://10.0.1.1:2380",
			advertisedClient: "https://192.0.2.1:12379", advertisedPeer: "https://192.0.2.1:12380",
		},
		"loopback, to try it": {
			args:   []string{"--cluster-init"},
			client: "http://127.0.0.1:2379", peer: "http://127.0.0.1:2380",
		},
		"explicit": {
			args:   []string{"--certs", certs, "--etcd-listen-client", "https://10.0.1.1:1", "--etcd-listen-peer", "https://10.0.1.1:2"},
			client: "https://10.0.1.1:1", peer: "https://10.0.1.1:2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := load(t, nil, row.args...)
			require.NoError(t, err)
			require.True(t, c.InCluster())
			require.Equal(t, [...]string{row.client, row.peer, row.advertisedClient, row.advertisedPeer},
				[...]string{c.EtcdClientURL(), c.EtcdPeerURL(), c.EtcdAdvertiseClientURL(), c.EtcdAdvertisePeerURL()})
		})
	}
	c, err := load(t, nil)
	require.NoError(t, err)
	require.False(t, c.InCluster())
}

func TestInvalidSettingsOfACluster(t *testing.T) {
	t.Parallel()
	certs := bundle(t)
	for want, args := range map[string][]string{
		"exclude each other":                   {"--cluster-init", "--cluster-join", "http://127.0.0.1:1"},
		"is not a client URL":                  {"--cluster-join", "10.0.0.1:2379"},
		"has no TLS":                           {"--cluster-join", "http://10.0.0.1:2379"},
		"--cluster-round-trip 6s must be":      {"--cluster-init", "--cluster-round-trip", "6s"},
		"set --advertise or":                   {"--cluster-init", "--certs", certs, "--listen", ":8080"},
		"--etcd-advertise-peer \"x\" is not a": {"--cluster-init", "--etcd-advertise-peer", "x"},
		"need --cluster-init, --cluster-join":  {"--etcd-advertise-peer", "https://a:1"},
		"are for the embedded etcd":            {"--cluster-init", "--etcd-endpoints", "https://e:1"},
		"set --region and --node":              {"--cluster-init", "--region", "", "--engine", "none"},
		"can be reached from other machines":   {"--cluster-init", "--listen", "10.0.0.1:8080"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, nil, args...)
			require.ErrorContains(t, err, want)
		})
	}
}
