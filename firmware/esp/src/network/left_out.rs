//! Parts of the radio's libraries that a migrator does not use: access point mode, distance
//! measurement (FTM), beacon sampling.
//!
//! They are entered through functions with weak symbols. ESP-IDF replaces these by functions that
//! do nothing if `CONFIG_ESP_WIFI_SOFTAP_SUPPORT`, `CONFIG_ESP_WIFI_FTM_ENABLE` and
//! `CONFIG_ESP_WIFI_SLP_SAMPLE_BEACON_FEATURE` are off, and so does this module. What they called
//! is not called any more, so the linker leaves it out: 60 KB.
//!
//! Source: ESP-IDF 6.1, whose libraries esp-radio carries: `components/esp_wifi/src/wifi_init.c`,
//! and for the supplicant `components/wpa_supplicant`, `CMakeLists.txt` and
//! `esp_supplicant/src/esp_wpa_main.c`.

use core::ffi::{c_int, c_void};
use core::ptr;

/// A pointer argument that is not used.
type Any = *mut c_void;

/// Defines functions with C's calling convention that do nothing and return a value.
macro_rules! nothing {
    ($($name:ident($($argument:ty),*) -> $result:ty = $value:expr;)*) => { $(
        // Safety: only the libraries define the symbol as well; each group below says why theirs is
        // not needed. Arguments and result are the same as theirs.
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> $result { $value }
    )* };
}

// Access point mode: weak in the libraries. ESP-IDF without it has the same functions.
nothing! {
    net80211_softap_funcs_init() -> () = ();
    ieee80211_ap_try_sa_query(Any) -> bool = false;
    ieee80211_ap_sa_query_timeout(Any) -> bool = false;
    create_new_bss_for_sa_query_failed_sta(u8) -> () = ();
    add_mic_ie_bip(Any) -> c_int = 0;
    ieee80211_free_beacon_eb() -> () = ();
    ieee80211_beacon_construct(Any, Any, Any, Any) -> () = ();
    ieee80211_assoc_resp_construct(Any, c_int) -> Any = ptr::null_mut();
    ieee80211_alloc_proberesp(Any, c_int) -> Any = ptr::null_mut();
    ieee80211_pwrsave(Any, Any) -> c_int = 0;
    ieee80211_set_tim(Any, c_int) -> c_int = 0;
    ieee80211_is_bufferable_mmpdu(Any) -> bool = false;
    cnx_node_remove(Any) -> () = ();
    cnx_node_leave(Any, u8) -> () = ();
    hostap_query_mac_in_list(Any, c_int) -> bool = false;
    hostap_add_in_mac_list(Any, c_int) -> c_int = 0;
    hostap_del_mac_info_from_list(Any, c_int) -> c_int = 0;
}

// The supplicant's part of access point mode. ESP-IDF without it does not compile this part and
// leaves the pointers to it null (`wpa_ap_init` and others of `struct wpa_funcs`), so stations
// never call it; these functions would answer that there is no access point. The supplicant in
// esp-radio was compiled with this part, and its symbols are not weak. The linker takes the
// functions below because it reads them before the library; it would fail with duplicate symbols if
// something else in the library's object file were needed.
nothing! {
    hostap_init() -> Any = ptr::null_mut();
    hostap_deinit(Any) -> bool = true;
    hostap_new_assoc_sta(Any, Any, Any, Any, Any, Any) -> bool = false;
    hostapd_get_hapd_data() -> Any = ptr::null_mut();
    wpa_ap_remove(Any) -> bool = false;
    wpa_receive(Any, Any, Any, usize) -> () = ();
    ap_free_sta(Any, Any) -> () = ();
    ap_get_sta(Any, Any) -> Any = ptr::null_mut();
    ap_sta_add(Any, Any) -> Any = ptr::null_mut();
}

// Distance measurement: also weak.
nothing! {
    ieee80211_ftm_attach() -> c_int = 0;
    ftm_initiator_cleanup() -> () = ();
}

// Beacon sampling: also weak, and the libraries have a function of their own for use without it.
unsafe extern "C" {
    fn pm_beacon_offset_funcs_empty_init();
}

// Safety: as above; ESP-IDF's own function calls the same one.
#[unsafe(no_mangle)]
extern "C" fn pm_beacon_offset_funcs_init() {
    // Safety: the library's own function, which is meant to be called here.
    unsafe { pm_beacon_offset_funcs_empty_init() }
}
