package oidctest

import (
	"crypto/rand"
	"net/http"
	"time"
)

// DeviceExpiry is how long a device code is valid.
const DeviceExpiry = 10 * time.Minute

// The states of a device that requests a token.
const (
	devicePending  = "authorization_pending"
	deviceSlowDown = "slow_down"
	deviceDenied   = "access_denied"
	deviceExpired  = "expired_token"
	deviceApproved = "approved"
)

// device is one login.
type device struct {
	code, userCode string
	state          string
	claims         Claims
	polls          int
}

// devices are the logins and the refresh tokens of an issuer.
type devices struct {
	byUserCode map[string]*device
	latest     *device
	refresh    map[string]Claims
	interval   float64 // seconds between polls, a fraction so that tests are fast
}

func newDevices() devices {
	return devices{byUserCode: map[string]*device{}, refresh: map[string]Claims{}, interval: 0.02}
}

// LatestUserCode returns the code that the latest login has shown to its user, and an empty
// text before the first.
func (i *Issuer) LatestUserCode() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.devices.latest == nil {
		return ""
	}
	return i.devices.latest.userCode
}

// Approve lets the login with the code succeed as the user of the claims.
func (i *Issuer) Approve(userCode string, claims Claims) {
	i.setDevice(userCode, deviceApproved, claims)
}

// Deny lets the login with the code fail, as if the user had declined.
func (i *Issuer) Deny(userCode string) { i.setDevice(userCode, deviceDenied, nil) }

// Expire lets the code expire.
func (i *Issuer) Expire(userCode string) { i.setDevice(userCode, deviceExpired, nil) }

// SlowDown lets the next poll of the code fail with slow_down.
func (i *Issuer) SlowDown(userCode string) { i.setDevice(userCode, deviceSlowDown, nil) }

func (i *Issuer) setDevice(userCode, state string, claims Claims) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d := i.devices.byUserCode[userCode]
	if d == nil {
		i.t.Errorf("there is no login with the user code %q", userCode)
		return
	}
	d.state, d.claims = state, claims
}

// Polls returns how often the client of a login has requested the token.
func (i *Issuer) Polls(userCode string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.devices.byUserCode[userCode].polls
}

// RevokeRefreshTokens makes all refresh tokens invalid.
func (i *Issuer) RevokeRefreshTokens() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.devices.refresh)
}

// RefreshTokens returns how many refresh tokens are valid.
func (i *Issuer) RefreshTokens() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.devices.refresh)
}

func (i *Issuer) serveDevice(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("client_id") != ClientID {
		writeError(w, "invalid_client")
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	d := &device{code: rand.Text(), userCode: rand.Text()[:8], state: devicePending}
	i.devices.byUserCode[d.userCode], i.devices.latest = d, d
	WriteJSON(w, http.StatusOK, map[string]any{
		"device_code": d.code, "user_code": d.userCode, "verification_uri": i.URL() + "/activate",
		"verification_uri_complete": i.URL() + "/activate?user_code=" + d.userCode,
		"expires_in":                int(DeviceExpiry.Seconds()), "interval": i.devices.interval,
	})
}

func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("client_id") != ClientID {
		writeError(w, "invalid_client")
		return
	}
	switch r.FormValue("grant_type") {
	case "urn:ietf:params:oauth:grant-type:device_code":
		i.serveDeviceToken(w, r.FormValue("device_code"))
	case "refresh_token":
		i.serveRefresh(w, r.FormValue("refresh_token"))
	default:
		writeError(w, "unsupported_grant_type")
	}
}

func (i *Issuer) serveDeviceToken(w http.ResponseWriter, code string) {
	d := i.poll(code)
	switch {
	case d.code == "":
		writeError(w, "invalid_grant")
	case d.state == deviceApproved:
		i.issue(w, d.claims)
	default:
		writeError(w, d.state)
	}
}

// poll counts a poll and returns the state of the device at its time. An approved device
// and slow_down count once.
func (i *Issuer) poll(code string) device {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, d := range i.devices.byUserCode {
		if d.code != code {
			continue
		}
		d.polls++
		state := *d
		switch d.state {
		case deviceSlowDown:
			d.state = devicePending
		case deviceApproved:
			d.code = "used"
		}
		return state
	}
	return device{}
}

// serveRefresh issues new tokens, and replaces the refresh token.
func (i *Issuer) serveRefresh(w http.ResponseWriter, refresh string) {
	i.mu.Lock()
	claims, isValid := i.devices.refresh[refresh]
	delete(i.devices.refresh, refresh)
	i.mu.Unlock()
	if !isValid {
		writeError(w, "invalid_grant")
		return
	}
	i.issue(w, claims)
}

func (i *Issuer) issue(w http.ResponseWriter, claims Claims) {
	refresh := rand.Text()
	i.mu.Lock()
	i.devices.refresh[refresh] = claims
	i.mu.Unlock()
	WriteJSON(w, http.StatusOK, map[string]any{
		"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh, "id_token": i.Token(claims),
	})
}

func (i *Issuer) serveRevoke(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.devices.refresh, r.FormValue("token"))
	w.WriteHeader(http.StatusOK)
}

func writeError(w http.ResponseWriter, code string) {
	WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": "set by the test"})
}
