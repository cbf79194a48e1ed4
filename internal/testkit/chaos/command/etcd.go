package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcdTimeout bounds the first request to etcd.
const etcdTimeout = 5 * time.Second

// statusTimeout bounds a request for the leader, so that samples stay frequent.
const statusTimeout = 500 * time.Millisecond

// etcdOptions are how etcd is reached.
type etcdOptions struct {
	endpoints                 []string
	prefix                    string
	caFile, certFile, keyFile string
	user, passwordFile        string
}

func (o *etcdOptions) addFlags(flags *flag.FlagSet) {
	flags.Func("etcd-endpoints", "client `URLs` of etcd, separated by commas, to record all changes; empty skips most rules", func(text string) error {
		o.endpoints = append(o.endpoints, strings.Split(text, ",")...)
		return nil
	})
	flags.StringVar(&o.prefix, "etcd-prefix", "", "`PATH` prefix of every key of the store, such as /eu")
	flags.StringVar(&o.caFile, "etcd-cacert", "", "`FILE` with the CA certificate that verifies --etcd-endpoints")
	flags.StringVar(&o.certFile, "etcd-cert", "", "`FILE` with the client certificate for --etcd-endpoints")
	flags.StringVar(&o.keyFile, "etcd-key", "", "`FILE` with the key of --etcd-cert")
	flags.StringVar(&o.user, "etcd-user", "", "user `NAME` at --etcd-endpoints")
	flags.StringVar(&o.passwordFile, "etcd-password-file", "", "`FILE` with the password of --etcd-user")
}

// connect returns a client of etcd that has responded once.
func (o *etcdOptions) connect(ctx context.Context) (*clientv3.Client, error) {
	if len(o.endpoints) == 0 {
		return nil, errors.New("--etcd-endpoints is not given")
	}
	config, err := tlsConfig(o.caFile, o.certFile, o.keyFile)
	if err != nil {
		return nil, err
	}
	password := []byte{}
	if o.passwordFile != "" {
		if password, err = os.ReadFile(o.passwordFile); err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: o.endpoints, TLS: config, Username: o.user, Password: strings.TrimSpace(string(password)), DialTimeout: etcdTimeout, Logger: zap.NewNop(),
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("reach etcd: %w", err)
	}
	if _, err := client.Get(ctx, o.prefix+"/", clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil {
		return nil, errors.Join(fmt.Errorf("reach etcd: %w", err), client.Close())
	}
	return client, nil
}

// leaderOf returns a function that returns the name of the member that leads etcd, empty if that is
// not known.
func leaderOf(client *clientv3.Client) func() string {
	names := map[uint64]string{}
	return func() string {
		for _, endpoint := range client.Endpoints() {
			ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
			status, err := client.Status(ctx, endpoint)
			if err == nil && status.Leader != 0 && names[status.Leader] == "" {
				names[status.Leader] = fmt.Sprintf("%x", status.Leader)
				if members, err := client.MemberList(ctx); err == nil {
					for _, m := range members.Members {
						names[m.ID] = m.Name
					}
				}
			}
			cancel()
			if err == nil && status.Leader != 0 {
				return names[status.Leader]
			}
		}
		return ""
	}
}
