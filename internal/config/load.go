package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// envPrefix is the prefix of every environment variable: the flag --data-dir is also
// RTMANAGER_DATA_DIR.
const envPrefix = "RTMANAGER_"

// fileFlag is the flag of the settings file. It is not a setting itself.
const fileFlag = "config"

// Loader loads settings from flags, environment and a file, in this order of precedence.
type Loader struct {
	flags     *pflag.FlagSet
	cfg       Config
	file      string
	lookupEnv func(name string) (string, bool)
}

// Bind declares a flag for each setting. lookupEnv is os.LookupEnv or a replacement.
func Bind(flags *pflag.FlagSet, lookupEnv func(name string) (string, bool)) *Loader {
	l := &Loader{flags: pflag.NewFlagSet("settings", pflag.ContinueOnError), cfg: Default(), lookupEnv: lookupEnv}
	l.flags.SortFlags = false // related settings are declared together
	f, c := l.flags, &l.cfg
	f.StringVar(&l.file, fileFlag, "", "YAML `FILE` of settings, which have the names of the flags; flags and environment take precedence")
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "`DIR` of the embedded etcd's data and the process engine's games")
	f.StringVar(&c.Listen, "listen", c.Listen, "`HOST:PORT` of the API; port 0 selects a free one")
	f.BoolVar(&c.Insecure, "insecure", c.Insecure, "allow a --listen address that other machines can reach without TLS or authentication")
	c.bindCerts(f)
	c.bindSecurity(f)
	c.bindOIDC(f)
	c.bindSecrets(f)
	c.bindAudit(f)
	c.bindArchive(f)
	c.bindBackup(f)
	c.bindLimits(f)
	f.StringSliceVar(&c.EtcdEndpoints, "etcd-endpoints", c.EtcdEndpoints, "client `URL`s of an existing etcd cluster to use instead of the embedded one, separated by commas")
	f.StringVar(&c.EtcdPrefix, "etcd-prefix", c.EtcdPrefix, "`PATH` prefix of every key, such as /eu")
	f.StringVar(&c.EtcdCACert, "etcd-cacert", c.EtcdCACert, "`FILE` with the CA certificate that verifies --etcd-endpoints")
	f.StringVar(&c.EtcdCert, "etcd-cert", c.EtcdCert, "`FILE` with the client certificate for --etcd-endpoints")
	f.StringVar(&c.EtcdKey, "etcd-key", c.EtcdKey, "`FILE` with the key of --etcd-cert")
	f.StringVar(&c.EtcdUser, "etcd-user", c.EtcdUser, "user `NAME` of this daemon at --etcd-endpoints")
	f.StringVar(&c.EtcdPasswordFile, "etcd-password-file", c.EtcdPasswordFile, "`FILE` with the password of --etcd-user")
	f.DurationVar(&c.EtcdDialTimeout, "etcd-dial-timeout", c.EtcdDialTimeout, "how long to wait for --etcd-endpoints at the start")
	c.bindEtcdListen(f)
	c.bindCluster(f)
	f.StringVar(&c.EtcdClusterToken, "etcd-cluster-token", c.EtcdClusterToken, "`NAME` of the cluster that --data-dir belongs to")
	f.Int64Var(&c.EtcdQuotaBytes, "etcd-quota-bytes", c.EtcdQuotaBytes, "`SIZE` in bytes at which the embedded database becomes read-only")
	f.Int64Var(&c.DiskReserve, "disk-reserve", c.DiskReserve, "free `SIZE` in bytes of the disk below which the embedded etcd becomes read-only (0: 64 MiB, or a tenth of a small disk)")
	f.DurationVar(&c.EtcdRetention, "etcd-retention", c.EtcdRetention, "how long the embedded etcd keeps old revisions, so that a watch can resume")
	f.StringVar(&c.Region, "region", c.Region, "`NAME` of the region of this daemon")
	f.StringVar(&c.Node, "node", c.Node, "`NAME` of this daemon")
	f.StringVar(&c.RenameFrom, "rename-from", c.RenameFrom, "former `REGION/NODE` of this node: take over its games under the new name; no effect once that is done")
	f.StringSliceVar(&c.Federate, "federate", c.Federate, "another store and the URLs of its daemons, `NAME=URL,URL`; the first that responds is used; repeatable")
	f.StringVar(&c.Engine, "engine", c.Engine, "engine that runs games: `auto|docker|process|none`")
	c.bindNodeManager(f)
	c.bindPlacement(f)
	f.StringVar(&c.LogLevel, "log-level", c.LogLevel, "minimum log `LEVEL`: debug, info, warn or error")
	f.StringVar(&c.LogFormat, "log-format", c.LogFormat, "log `FORMAT` on standard error: auto, text or json; auto is text on a terminal")
	flags.AddFlagSet(l.flags)
	return l
}

// Load returns the settings; the flags must have been parsed. It first returns the errors
// of values that do not parse, of an unreadable file and of unknown settings, joined. Each
// error names its flag, variable or file. Without such errors it returns those of WithCerts and
// Validate.
func (l *Loader) Load() (Config, error) {
	if err := errors.Join(l.loadEnv(), l.loadFile()); err != nil {
		return Config{}, err
	}
	// Treated as "none", it would create a new and empty store.
	if l.flags.Changed("etcd-endpoints") && l.cfg.HasEmbeddedEtcd() {
		return Config{}, errors.New("--etcd-endpoints is empty; set the client URLs of a cluster, or omit it to embed etcd")
	}
	cfg, err := l.cfg.WithCerts()
	if err != nil {
		return Config{}, err
	}
	if err := cfg.Validate(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// EnvOf returns the environment variable of a flag.
func EnvOf(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// loadEnv sets the flags that were not given. An empty variable is ignored.
func (l *Loader) loadEnv() error {
	var errs []error
	l.flags.VisitAll(func(f *pflag.Flag) {
		name := EnvOf(f.Name)
		value, isSet := l.lookupEnv(name)
		if f.Changed || !isSet || value == "" {
			return
		}
		if err := l.flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
	})
	return errors.Join(errs...)
}

// loadFile sets what neither flags nor environment have set.
func (l *Loader) loadFile() error {
	if l.file == "" {
		return nil
	}
	text, err := os.ReadFile(l.file)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	settings, err := parseSettings(text)
	if err != nil {
		return fmt.Errorf("--config %s: %w", l.file, err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := l.setFromFile(name, settings[name]); err != nil {
			errs = append(errs, fmt.Errorf("--config %s: %w", l.file, err))
		}
	}
	return errors.Join(errs...)
}

func (l *Loader) setFromFile(name string, value any) error {
	f := l.flags.Lookup(name)
	if f == nil || name == fileFlag {
		return fmt.Errorf("%q is not a setting; settings have the names of the flags of `rtmanager serve --help`", name)
	}
	if f.Changed {
		return nil
	}
	text, err := flagText(f.Value.Type(), value)
	if err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	if err := l.flags.Set(name, text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
