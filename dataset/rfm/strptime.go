package rfm

import (
	"bytes"
	"fmt"
	"strings"
)

// layout is a --date-format: what strptime of C and Python understands, compiled to steps.
type layout []step

// step is one directive, or one literal byte (directive 0). A blank stands for any number of blanks, also none.
type step struct {
	directive byte
	literal   byte
}

// shorthand are the directives that stand for several.
var shorthand = strings.NewReplacer("%%", "%%", "%F", "%Y-%m-%d", "%T", "%H:%M:%S", "%R", "%H:%M", "%D", "%m/%d/%y",
	"%h", "%b", "%B", "%b", "%e", "%d", "%k", "%H", "%l", "%I", "%A", "%a")

// parseLayout compiles a format. The directives are %Y %y %m %d %e %b %B %h %j %H %k %I %l %M %S %f %p %z %Z %a %A
// %s %F %T %R %D %n %t and %%. Numbers need no leading zeros. %f is a fraction of a second of any length, %y is 1969
// to 2068, %z is +hh:mm, +hhmm, +hh or Z, %Z is UTC, GMT or Z, %s is seconds since 1970, %a is any word.
func parseLayout(format string) (layout, error) {
	text := shorthand.Replace(format)
	var steps layout
	has := map[byte]bool{}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c != '%':
			steps = append(steps, step{literal: blank(c)})
			continue
		case i+1 == len(text):
			return nil, fmt.Errorf("ends in a lone %%")
		}
		i++
		switch d := text[i]; {
		case d == '%':
			steps = append(steps, step{literal: '%'})
		case d == 'n' || d == 't':
			steps = append(steps, step{literal: ' '})
		case strings.IndexByte("YymdbjHIMSfpzZas", d) >= 0:
			if has[d] && d != 'a' {
				return nil, fmt.Errorf("has %%%c twice", d)
			}
			has[d] = true
			steps = append(steps, step{directive: d})
		default:
			return nil, fmt.Errorf("has the unknown directive %%%c", d)
		}
	}
	day := has['j'] || has['d'] && (has['m'] || has['b'])
	if !has['s'] && !(day && (has['Y'] || has['y'])) {
		return nil, fmt.Errorf("does not give a full date: it needs %%Y, %%m and %%d, or %%s")
	}
	if has['p'] && !has['I'] || has['I'] && !has['p'] {
		return nil, fmt.Errorf("needs %%I and %%p together")
	}
	return steps, nil
}

func blank(c byte) byte {
	if c == '\t' || c == '\n' || c == '\r' {
		return ' '
	}
	return c
}

// reading collects what the directives of a layout found in one text.
type reading struct {
	year, month, day, dayOfYear  int
	hour, minute, second         int
	fraction, offset, sinceEpoch int64
	epoch, afternoon, halfDay    bool
}

// parse reads text: microseconds since 1970-01-01 UTC.
func (l layout) parse(text []byte) (micros int64, ok bool) {
	s := cursor{text: bytes.TrimSpace(text)}
	var r reading
	for _, step := range l {
		switch {
		case step.directive != 0:
			r.take(&s, step.directive)
		case step.literal == ' ':
			s.spaces()
		case !s.skip(step.literal):
			return 0, false
		}
		if s.bad {
			return 0, false
		}
	}
	if s.at != len(s.text) {
		return 0, false
	}
	return r.micros()
}

// take reads one directive.
func (r *reading) take(s *cursor, directive byte) {
	switch directive {
	case 'Y':
		r.year = s.digits(4, 4)
	case 'y':
		r.year = 1900 + s.digits(2, 2)
		if r.year < 1969 {
			r.year += 100
		}
	case 'm':
		r.month = s.digits(1, 2)
	case 'b':
		r.month = s.monthName()
	case 'd':
		s.spaces()
		r.day = s.digits(1, 2)
	case 'j':
		r.dayOfYear = s.digits(1, 3)
		s.bad = s.bad || r.dayOfYear < 1
	case 'H':
		r.hour = s.digits(1, 2)
	case 'I':
		r.hour, r.halfDay = s.digits(1, 2), true
	case 'M':
		r.minute = s.digits(1, 2)
	case 'S':
		r.second = s.digits(1, 2)
	case 'f':
		r.fraction = s.fraction()
	case 'p':
		r.afternoon = s.peek()|0x20 == 'p'
		if !r.afternoon && s.peek()|0x20 != 'a' {
			s.bad = true
		}
		s.at++
		if !s.skip('M') && !s.skip('m') {
			s.bad = true
		}
	case 'z', 'Z':
		before := s.at
		r.offset = s.zone()
		s.bad = s.bad || s.at == before
	case 'a':
		for c := s.peek() | 0x20; c >= 'a' && c <= 'z'; c = s.peek() | 0x20 {
			s.at++
		}
	case 's':
		r.epoch = true
		negative := s.skip('-')
		r.sinceEpoch = int64(s.digits(1, 11)) // up to the year 5138
		if negative {
			r.sinceEpoch = -r.sinceEpoch
		}
	}
}

// micros puts the parts together.
func (r *reading) micros() (int64, bool) {
	if r.epoch {
		return r.sinceEpoch*microsPerSecond + r.fraction, true
	}
	var s cursor
	hour := r.hour
	if r.halfDay {
		hour = s.halfHour(r.hour, r.afternoon)
	}
	days := 0
	switch {
	case r.dayOfYear > 0:
		if !validDay(r.year, 1, 1) || r.dayOfYear > 337+daysIn(r.year, 2) {
			return 0, false
		}
		days = daysFromCivil(r.year, 1, 1) + r.dayOfYear - 1
	case !validDay(r.year, r.month, r.day):
		return 0, false
	default:
		days = daysFromCivil(r.year, r.month, r.day)
	}
	if s.bad || hour > 23 || r.minute > 59 || r.second > 59 {
		return 0, false
	}
	clock := int64(hour)*microsPerHour + int64(r.minute)*microsPerMinute + int64(r.second)*microsPerSecond
	return int64(days)*microsPerDay + clock + r.fraction - r.offset, true
}
