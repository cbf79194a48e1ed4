package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/logging"
	"galaxy/rtmanager/internal/loopback"
)

// Validate returns nil if the settings are valid together, and otherwise all errors, each
// with the flag of its setting.
func (c Config) Validate() error {
	var v violations
	v.add(c.validateListen())
	if c.HasEmbeddedEtcd() {
		v.add(c.validateEmbedded())
	} else {
		v.add(c.validateEndpoints())
	}
	v.addIf((c.EtcdCert == "") != (c.EtcdKey == ""), "--etcd-cert and --etcd-key must be set together")
	v.addIf((c.EtcdUser == "") != (c.EtcdPasswordFile == ""), "--etcd-user and --etcd-password-file must be set together")
	v.addIf(c.EtcdDialTimeout <= 0, "--etcd-dial-timeout %s must be positive", c.EtcdDialTimeout)
	v.addIf(strings.ContainsFunc(c.EtcdPrefix, func(r rune) bool { return r < ' ' || r == 0x7f }), "--etcd-prefix %q contains a control character", c.EtcdPrefix)
	v.addIf(c.Node == "", "--node is empty; name this daemon")
	v.addIf(!slices.Contains(engineNames(), c.Engine), "--engine %q is not an engine; use one of %s", c.Engine, strings.Join(engineNames(), ", "))
	v.addIf(c.Engine != EngineNone && c.Region == "", "--region is empty; name the region of this daemon")
	v.addIf(c.Engine == EngineProcess && c.DataDir == "", "--data-dir is empty; set the directory of the process engine's games")
	v.addIf(!slices.Contains(logging.Formats(), c.LogFormat), "--log-format %q is not a log format; use one of %s", c.LogFormat, strings.Join(logging.Formats(), ", "))
	v.add(c.validateNodeManager())
	_, err := c.Level()
	v.add(err)
	return v.join()
}

func (c Config) validateListen() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q is not HOST:PORT, such as 127.0.0.1:8080", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--listen %q: %q is not a port from 0 to 65535", c.Listen, port)
	}
	if !c.Insecure && !loopback.IsHost(host) {
		return fmt.Errorf("--listen %q can be reached from other machines, and the API has neither TLS nor authentication; use a loopback address behind a proxy with both, or --insecure", c.Listen)
	}
	return nil
}

// violations collects the errors of invalid settings.
type violations []error

// addIf adds an error if the setting is invalid.
func (v *violations) addIf(invalid bool, format string, args ...any) {
	if invalid {
		*v = append(*v, fmt.Errorf(format, args...))
	}
}

func (v *violations) add(err error) { *v = append(*v, err) }

func (v *violations) join() error { return errors.Join(*v...) }
