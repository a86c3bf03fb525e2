package tui

import "strings"

// locales are those of people whom this installer proposes one to. Any other
// can be written into the configuration afterwards.
var locales = []option{
	{value: "C.UTF-8", label: "none in particular, English"},
	{value: "en_US.UTF-8", label: "English (United States)"},
	{value: "en_GB.UTF-8", label: "English (United Kingdom)"},
	{value: "en_AU.UTF-8", label: "English (Australia)"},
	{value: "en_CA.UTF-8", label: "English (Canada)"},
	{value: "en_IE.UTF-8", label: "English (Ireland)"},
	{value: "en_IN.UTF-8", label: "English (India)"},
	{value: "en_NZ.UTF-8", label: "English (New Zealand)"},
	{value: "en_ZA.UTF-8", label: "English (South Africa)"},
	{value: "bg_BG.UTF-8", label: "Bulgarian"},
	{value: "ca_ES.UTF-8", label: "Catalan"},
	{value: "zh_CN.UTF-8", label: "Chinese (China)"},
	{value: "zh_TW.UTF-8", label: "Chinese (Taiwan)"},
	{value: "hr_HR.UTF-8", label: "Croatian"},
	{value: "cs_CZ.UTF-8", label: "Czech"},
	{value: "da_DK.UTF-8", label: "Danish"},
	{value: "nl_BE.UTF-8", label: "Dutch (Belgium)"},
	{value: "nl_NL.UTF-8", label: "Dutch (Netherlands)"},
	{value: "et_EE.UTF-8", label: "Estonian"},
	{value: "fi_FI.UTF-8", label: "Finnish"},
	{value: "fr_BE.UTF-8", label: "French (Belgium)"},
	{value: "fr_CA.UTF-8", label: "French (Canada)"},
	{value: "fr_FR.UTF-8", label: "French (France)"},
	{value: "fr_CH.UTF-8", label: "French (Switzerland)"},
	{value: "de_AT.UTF-8", label: "German (Austria)"},
	{value: "de_DE.UTF-8", label: "German (Germany)"},
	{value: "de_CH.UTF-8", label: "German (Switzerland)"},
	{value: "el_GR.UTF-8", label: "Greek"},
	{value: "he_IL.UTF-8", label: "Hebrew"},
	{value: "hu_HU.UTF-8", label: "Hungarian"},
	{value: "is_IS.UTF-8", label: "Icelandic"},
	{value: "it_IT.UTF-8", label: "Italian"},
	{value: "ja_JP.UTF-8", label: "Japanese"},
	{value: "ko_KR.UTF-8", label: "Korean"},
	{value: "lv_LV.UTF-8", label: "Latvian"},
	{value: "lt_LT.UTF-8", label: "Lithuanian"},
	{value: "nb_NO.UTF-8", label: "Norwegian"},
	{value: "pl_PL.UTF-8", label: "Polish"},
	{value: "pt_BR.UTF-8", label: "Portuguese (Brazil)"},
	{value: "pt_PT.UTF-8", label: "Portuguese (Portugal)"},
	{value: "ro_RO.UTF-8", label: "Romanian"},
	{value: "ru_RU.UTF-8", label: "Russian"},
	{value: "sr_RS.UTF-8", label: "Serbian"},
	{value: "sk_SK.UTF-8", label: "Slovak"},
	{value: "sl_SI.UTF-8", label: "Slovenian"},
	{value: "es_AR.UTF-8", label: "Spanish (Argentina)"},
	{value: "es_MX.UTF-8", label: "Spanish (Mexico)"},
	{value: "es_ES.UTF-8", label: "Spanish (Spain)"},
	{value: "sv_SE.UTF-8", label: "Swedish"},
	{value: "tr_TR.UTF-8", label: "Turkish"},
	{value: "uk_UA.UTF-8", label: "Ukrainian"},
}

// places are the keyboard and the time zone of most people who choose a
// language. A country with several zones proposes none but that of its capital
// where nearly all live by that.
var places = map[string]struct{ keyMap, zone string }{
	"en_US.UTF-8": {"us", "America/New_York"}, "en_GB.UTF-8": {"uk", "Europe/London"}, "en_AU.UTF-8": {"us", "Australia/Sydney"}, "en_CA.UTF-8": {"us", "America/Toronto"},
	"en_IE.UTF-8": {"uk", "Europe/Dublin"}, "en_IN.UTF-8": {"us", "Asia/Kolkata"}, "en_NZ.UTF-8": {"us", "Pacific/Auckland"}, "en_ZA.UTF-8": {"us", "Africa/Johannesburg"},
	"bg_BG.UTF-8": {"us", "Europe/Sofia"}, "ca_ES.UTF-8": {"es", "Europe/Madrid"}, "hr_HR.UTF-8": {"croat", "Europe/Zagreb"}, "cs_CZ.UTF-8": {"cz-lat2", "Europe/Prague"},
	"da_DK.UTF-8": {"dk-latin1", "Europe/Copenhagen"}, "nl_BE.UTF-8": {"be2-latin1", "Europe/Brussels"}, "nl_NL.UTF-8": {"us", "Europe/Amsterdam"}, "et_EE.UTF-8": {"et", "Europe/Tallinn"},
	"fi_FI.UTF-8": {"fi-latin1", "Europe/Helsinki"}, "fr_BE.UTF-8": {"be2-latin1", "Europe/Brussels"}, "fr_FR.UTF-8": {"fr-latin9", "Europe/Paris"}, "fr_CH.UTF-8": {"fr_CH-latin1", "Europe/Zurich"},
	"de_AT.UTF-8": {"de-latin1", "Europe/Vienna"}, "de_DE.UTF-8": {"de-latin1", "Europe/Berlin"}, "de_CH.UTF-8": {"sg-latin1", "Europe/Zurich"}, "el_GR.UTF-8": {"gr", "Europe/Athens"},
	"he_IL.UTF-8": {"us", "Asia/Jerusalem"}, "hu_HU.UTF-8": {"hu", "Europe/Budapest"}, "is_IS.UTF-8": {"is-latin1", "Atlantic/Reykjavik"}, "it_IT.UTF-8": {"it", "Europe/Rome"},
	"ja_JP.UTF-8": {"jp106", "Asia/Tokyo"}, "ko_KR.UTF-8": {"us", "Asia/Seoul"}, "lv_LV.UTF-8": {"us", "Europe/Riga"}, "lt_LT.UTF-8": {"lt", "Europe/Vilnius"},
	"nb_NO.UTF-8": {"no-latin1", "Europe/Oslo"}, "pl_PL.UTF-8": {"pl", "Europe/Warsaw"}, "pt_BR.UTF-8": {"br-abnt2", "America/Sao_Paulo"}, "pt_PT.UTF-8": {"pt-latin1", "Europe/Lisbon"},
	"ro_RO.UTF-8": {"ro", "Europe/Bucharest"}, "ru_RU.UTF-8": {"ru", "Europe/Moscow"}, "sr_RS.UTF-8": {"croat", "Europe/Belgrade"}, "sk_SK.UTF-8": {"cz-lat2", "Europe/Bratislava"},
	"sl_SI.UTF-8": {"slovene", "Europe/Ljubljana"}, "es_AR.UTF-8": {"la-latin1", "America/Argentina/Buenos_Aires"}, "es_MX.UTF-8": {"la-latin1", "America/Mexico_City"},
	"es_ES.UTF-8": {"es", "Europe/Madrid"}, "sv_SE.UTF-8": {"se-latin1", "Europe/Stockholm"}, "tr_TR.UTF-8": {"trq", "Europe/Istanbul"}, "uk_UA.UTF-8": {"ua", "Europe/Kyiv"},
}

// keyMaps are of Debian's package console-data, which has more.
// Source: console-data 2:1.12, keymaps/i386.
var keyMaps = []option{
	{value: "us", label: "American"},
	{value: "be2-latin1", label: "Belgian"},
	{value: "br-abnt2", label: "Brazilian"},
	{value: "uk", label: "British"},
	{value: "croat", label: "Croatian"},
	{value: "cz-lat2", label: "Czech"},
	{value: "dk-latin1", label: "Danish"},
	{value: "dvorak", label: "Dvorak"},
	{value: "et", label: "Estonian"},
	{value: "fi-latin1", label: "Finnish"},
	{value: "fr-latin9", label: "French"},
	{value: "de-latin1", label: "German"},
	{value: "de-latin1-nodeadkeys", label: "German, no dead keys"},
	{value: "gr", label: "Greek"},
	{value: "hu", label: "Hungarian"},
	{value: "is-latin1", label: "Icelandic"},
	{value: "it", label: "Italian"},
	{value: "jp106", label: "Japanese"},
	{value: "la-latin1", label: "Latin American"},
	{value: "lt", label: "Lithuanian"},
	{value: "no-latin1", label: "Norwegian"},
	{value: "pl", label: "Polish"},
	{value: "pt-latin1", label: "Portuguese"},
	{value: "ro", label: "Romanian"},
	{value: "ru", label: "Russian"},
	{value: "slovene", label: "Slovenian"},
	{value: "es", label: "Spanish"},
	{value: "se-latin1", label: "Swedish"},
	{value: "fr_CH-latin1", label: "Swiss French"},
	{value: "sg-latin1", label: "Swiss German"},
	{value: "trq", label: "Turkish"},
	{value: "ua", label: "Ukrainian"},
}

// offered narrows what is known to what the medium has, and names what is not
// known by itself. nil means that the medium does not say.
func offered(known []option, has []string) []option {
	if has == nil {
		return known
	}
	label := map[string]string{}
	for _, o := range known {
		label[o.value] = o.label
	}
	var some []option
	for _, name := range has {
		some = append(some, option{value: name, label: label[name]})
	}
	return some
}

func (s *Session) locales() []option { return offered(locales, s.Locales) }
func (s *Session) keyMaps() []option { return offered(keyMaps, s.KeyMaps) }

func (s *Session) zones() []option {
	names := s.Zones
	if names == nil {
		names = strings.Fields(zoneNames)
	}
	return offered(nil, append([]string{"Etc/UTC"}, names...))
}
