package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A template is a recorded object cut at its places: texts[i], then the value of places[i].
type template struct {
	apiVersion string
	texts      []string
	places     []string
}

var placePattern = regexp.MustCompile("@[A-Z]+@")

func parseTemplate(recorded []byte) (*template, error) {
	var type_ struct{ APIVersion, Kind string }
	if err := json.Unmarshal(recorded, &type_); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, recorded); err != nil {
		return nil, err
	}
	kind := fmt.Sprintf(`"kind":%q,"metadata"`, type_.Kind)
	text := strings.Replace(compact.String(), kind, `"kind":"@KIND@","metadata"`, 1)
	t := &template{apiVersion: type_.APIVersion, texts: placePattern.Split(text, -1)}
	for _, place := range placePattern.FindAllString(text, -1) {
		t.places = append(t.places, strings.Trim(place, "@"))
	}
	return t, nil
}

// What differs from object to object; the rest follows from the number.
type instance struct {
	kind            string
	number          int
	resourceVersion uint64
	sent            int64
}

// scramble makes digits that look random and are the same in every run.
func scramble(n uint64) uint64 {
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// render appends the object as the API server would write it.
func (t *template) render(out []byte, i instance) []byte {
	n := uint64(i.number)
	for p, text := range t.texts {
		out = append(out, text...)
		if p < len(t.places) {
			out = t.fill(out, t.places[p], n, i)
		}
	}
	return out
}

const ownedTogether = 10 // Pods of one ReplicaSet

func (t *template) fill(out []byte, place string, n uint64, i instance) []byte {
	group := n / ownedTogether
	switch place {
	case "KIND":
		return append(out, i.kind...)
	case "RV":
		return fmt.Appendf(out, "%d", i.resourceVersion)
	case "SENT":
		return fmt.Appendf(out, "%d", i.sent)
	case "NAME":
		return fmt.Appendf(out, "web-%08x-%05d", uint32(scramble(group)), n)
	case "NS":
		return fmt.Appendf(out, "team-%d", n%100)
	case "HASH":
		return fmt.Appendf(out, "%08x", uint32(scramble(group)))
	case "SHORT":
		return fmt.Appendf(out, "%05x", scramble(n+1)&0xfffff)
	case "NODE":
		return fmt.Appendf(out, "%d", n%1000)
	case "IP":
		return fmt.Appendf(out, "10.%d.%d.%d", 64+n>>16, n>>8&255, n&255)
	case "TIME":
		return fmt.Appendf(out, "%02d:%02d:%02d", n/3600%24, n/60%60, n%60)
	case "OWNER":
		return uuid(out, group+1<<32)
	case "UID":
		return uuid(out, n+1<<33)
	case "SHA":
		for part := range uint64(4) {
			out = fmt.Appendf(out, "%016x", scramble(n<<2+part))
		}
		return out
	}
	return append(out, place...)
}

func uuid(out []byte, seed uint64) []byte {
	a, b := scramble(seed), scramble(seed+1<<40)
	return fmt.Appendf(out, "%08x-%04x-4%03x-a%03x-%012x", uint32(a), uint16(a>>32), a>>48&0xfff,
		b>>48&0xfff, b&0xffffffffffff)
}
